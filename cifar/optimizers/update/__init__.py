"""What the update rules have in common, in each framework."""

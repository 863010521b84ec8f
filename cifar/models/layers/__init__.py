"""Layers that several networks have, in each framework."""

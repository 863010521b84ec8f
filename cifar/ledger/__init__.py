"""The ledger: runs found and told apart by their records, shown, checked, carried and done again."""

"""What else than our own search can find near-duplicates for `dedup`: each engine a process in its own environment."""

"""What a score is made of, one dimension a module; score.py and its callers put them together."""

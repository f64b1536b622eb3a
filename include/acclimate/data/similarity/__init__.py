"""Which texts have words, passages or nearly everything in common."""

"""What the training set is composed of, and how it is chosen."""

"""How evaluation items are found in training texts."""

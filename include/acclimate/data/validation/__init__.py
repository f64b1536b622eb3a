"""What validate checks, and the pages that show it."""

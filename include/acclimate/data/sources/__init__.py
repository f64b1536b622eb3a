"""Files of every format, packed or not, as records."""

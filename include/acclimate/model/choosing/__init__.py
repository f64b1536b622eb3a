"""Which base to adapt: several models side by side on five dimensions, and what speaks for one of them."""

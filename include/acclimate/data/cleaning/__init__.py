"""What clean takes out of a text, and how it judges what is left."""

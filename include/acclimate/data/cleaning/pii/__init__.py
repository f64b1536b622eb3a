"""What identifies a person or opens a door: one module per kind, each with `find(text)` giving character spans."""

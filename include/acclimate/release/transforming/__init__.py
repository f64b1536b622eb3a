"""What `acclimate transform` is made of: the records that come in, and the parts that go out."""

"""What keeps a model's general ability while it learns a domain: penalties on the change, and when to replay."""

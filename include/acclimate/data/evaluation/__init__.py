"""What models are asked: items drawn from held-out documents, examples by quota, their review and their lock."""

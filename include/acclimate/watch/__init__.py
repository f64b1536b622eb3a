"""What happens after release: what was asked, whether it drifted, who is told."""

"""What runs in the endpoint's process; the Bento carries a copy, so it imports little else of Acclimate."""

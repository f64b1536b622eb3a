"""What may be asked and answered: personal data, attempts to take the model over, topics that are not its own."""

"""Acclimate keeps a language model adapted to a domain that keeps moving."""

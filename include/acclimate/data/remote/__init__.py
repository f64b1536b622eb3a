"""Sources that are not on this machine: what `acclimate fetch` mirrors below inputs/fetched/."""

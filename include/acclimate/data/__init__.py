"""From documents to a clean, versioned training set, in the order of the pipeline."""

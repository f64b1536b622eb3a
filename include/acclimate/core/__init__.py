"""What every plane shares: parameters, records, reports, files, errors, runs."""

"""Work that a client does not wait for: submitted, looked at, fetched, and there again after a restart."""

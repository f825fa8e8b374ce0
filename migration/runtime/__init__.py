"""Child processes, concurrency, and the identity of a worker."""

"""Processes, concurrency, and who a worker is."""

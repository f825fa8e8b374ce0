"""The preflight checks, one per file."""

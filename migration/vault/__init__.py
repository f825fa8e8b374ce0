"""Secrets and backups: sealed, stored, opened."""

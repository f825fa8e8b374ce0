"""Encryption of secrets, their storage, and the second copy of each backup."""

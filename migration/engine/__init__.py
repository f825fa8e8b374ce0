"""Moves one number: one step at a time, and as far as it can go now."""

"""Moves one number: a step at a time, and as far as it can go now."""

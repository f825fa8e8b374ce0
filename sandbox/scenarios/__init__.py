"""Fleets and their troubles, made from files and seeds."""

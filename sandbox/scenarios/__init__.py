"""Fleets with their faults, built from a seed or from a scenario file."""

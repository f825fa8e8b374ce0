"""Generates parts of the documentation, and `sandbox/switches.py`, from the code and the data file."""

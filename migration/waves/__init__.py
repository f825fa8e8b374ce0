"""Waves: numbers that are moved together. Their rules, time windows, schedules, and the loop that runs them."""

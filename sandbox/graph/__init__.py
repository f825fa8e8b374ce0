"""Graph as a caller meets it."""

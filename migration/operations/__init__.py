"""What a person can do to numbers, waves, credential profiles and codes. Screens and commands call these functions."""

"""What a person can do to numbers, waves, profiles and codes; for the command line and Prefect's forms."""

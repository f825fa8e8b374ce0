"""The `cutover` command: one file per verb."""

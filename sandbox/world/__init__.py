"""The state that both APIs share, and its rules. No HTTP here."""

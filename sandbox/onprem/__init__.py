"""An On-Premises client as a caller and its operator meet it."""

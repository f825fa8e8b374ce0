"""The On-Premises API of each client, and the commands of its operator."""

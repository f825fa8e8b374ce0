"""The Cloud API on Graph."""

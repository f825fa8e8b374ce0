"""Calls that read the true state of the sandbox and control it; Meta has none of them."""

"""What steers the sandbox and tells its truth; nothing of Meta's."""

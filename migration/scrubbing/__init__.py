"""Takes secrets, phone numbers and control characters out of texts that come from outside."""

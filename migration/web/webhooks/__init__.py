"""Meta's webhooks: signed ones alone, stored before they are answered, each once."""

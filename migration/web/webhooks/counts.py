"""What came in since the process was started, for `/metrics`."""

from collections import Counter
from dataclasses import dataclass, field

REASONS = ("not_signed", "unreadable", "too_long", "unknown_profile", "handshake", "other_object", "full", "not_stored")


@dataclass(slots=True)
class WebhookCounts:
    """Updates, not posts; `refused`: posts, by the reason."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    not_ours: int = 0
    refused: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REASONS, 0)))

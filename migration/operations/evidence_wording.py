"""The evidence that a number works, in words: what was sent, what came back, and when. No id, text or person in it."""

from collections.abc import Mapping
from typing import Any

from state.proof import at_time

TIMES = ("at", "restriction_info.ends")
Row = Mapping[str, Any]


def message_document(row: Row) -> dict[str, Any]:
    names = ("correlation", "state", "at", "sent_at", "delivered_at", "failed_at", "error")
    return {name: row[name] for name in names}


def message_text(row: Row) -> str:
    """`delivered; recorded 10:00:01, sent 10:00:01, delivered 10:00:02 UTC (smoke-0123456789abcdef)`."""
    times = {
        "recorded": row["at"],
        "sent": row["sent_at"],
        "delivered": row["delivered_at"],
        "failed": row["failed_at"],
    }
    shown = ", ".join(f"{name} {at:%H:%M:%S}" for name, at in times.items() if at is not None)
    code = f" with {row['error']}" if row["error"] else ""
    return f"{row['state']}{code}; {shown} UTC ({row['correlation']})"


def webhook_document(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("received_at", "field", "kind", "waba_id", "facts")}


def _shown(name: str, value: Any) -> Any:
    """Meta's times are whole numbers of ten digits, which every screen would mask as somebody's phone number."""
    at = at_time(value) if name in TIMES else None
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else value


def webhook_text(row: Row) -> str:
    """`messages status: status delivered, at 2026-01-01 00:00:00 UTC`."""
    facts = ", ".join(f"{name} {_shown(name, value)}" for name, value in row["facts"].items())
    return f"{row['field']} {row['kind']}{': ' if facts else ''}{facts}"

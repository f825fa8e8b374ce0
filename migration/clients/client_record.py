"""What an On-Premises client has beside its profile, for the record of what was before: picture and settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from migration.clients.profile_picture import Picture
from migration.scrubbing.texts import as_safe

# Of the settings, these say nothing of the number: which one it is, and an address that may carry a password.
NOT_KEPT = frozenset({"wa_id", "webhooks.url"})
MOST_SETTINGS = 60


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """`webhook`: scheme, host and path of its webhook address. `unread`: what could not be read, and why.

    `settings` by their path: `webhooks.message.read`.
    """

    picture: Picture | None = None
    webhook: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)


def settings_of(body: Any) -> tuple[str | None, dict[str, Any]]:
    """The webhook address and the settings of `GET /v1/settings/application`."""
    found = dict(_flat(body, ""))
    kept = {name: value for name, value in list(found.items())[:MOST_SETTINGS] if name not in NOT_KEPT}
    return address_without_secrets(found.get("webhooks.url")), kept


def address_without_secrets(url: Any) -> str | None:
    """Scheme, host, port and path; the rest may be secrets. None where there is no address."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or not parts.hostname:
            return None
        port = f":{parts.port}" if parts.port is not None else ""
        return str(as_safe(f"{parts.scheme}://{parts.hostname}{port}{parts.path}"))[:500]
    except ValueError:
        return None


def _flat(node: Any, prefix: str) -> list[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        return []
    rows: list[tuple[str, Any]] = []
    for name, value in node.items():
        path = f"{prefix}{name}"[:100]
        if isinstance(value, Mapping) and prefix.count(".") < 3:
            rows += _flat(value, f"{path}.")
        elif isinstance(value, bool | int | float | str):
            rows.append((path, value))
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            rows.append((path, ", ".join(value)[:300]))
    return rows

"""Reading the On-Premises envelope: errors, health over all topologies, queues, profile, expiry."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from migration.clients.graph_models import VERTICALS, Profile
from migration.clients.masking import without_numbers
from migration.errors import MigrationError, OutcomeUnknown, Rejected, Throttled, Transient

# https://developers.facebook.com/docs/whatsapp/api/errors
# 1011 not ready, 1014 Coreapp does not answer, 1017/1018 not the primary, 1023 database: nothing was done.
COME_BACK = frozenset({1011, 1014, 1017, 1018, 1023})
# 1015 too many requests, 1016 overloaded, 429 rate limit.
BUSY = frozenset({429, 1015, 1016})
# 500 and 1000, "generic error": whether anything was done is anybody's guess.
SAYS_NOTHING = frozenset({500, 1000})
BUSY_FOR = timedelta(seconds=15)

UP = frozenset({"connected"})
DOWN = frozenset({"disconnected", "unregistered"})


def envelope_error(call: str, status: int, body: Any, *, write: bool) -> MigrationError | None:
    """What an answer refuses, or None. `errors[]` counts whatever the HTTP status; a bare error object does too."""
    told = _first_error(body)
    if told is None:
        if 200 <= status < 300:
            return None
        if status in (429, 503):
            return Throttled(f"{call}: HTTP {status}", BUSY_FOR)
        if status >= 500:
            said = f"{call}: HTTP {status} without a readable body"
            return OutcomeUnknown(said) if write else Transient(said, True)
        return Rejected(f"{call}: HTTP {status}", None, f"HTTP {status}")
    code = _int(told.get("code"))
    details = without_numbers(str(told.get("details") or told.get("title") or "no details"))
    if code in BUSY:
        return Throttled(f"{call}: {details} ({code})", BUSY_FOR)
    if code in COME_BACK:
        return Transient(f"{call}: {details} ({code})", True)
    if code in SAYS_NOTHING:
        return OutcomeUnknown(f"{call}: {details}") if write else Transient(f"{call}: {details} ({code})", True)
    return Rejected(f"{call}: {details}", code, details)


def _first_error(body: Any) -> Mapping[str, Any] | None:
    if not isinstance(body, Mapping):
        return None
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        return errors[0]
    return body if "code" in body and "title" in body else None


def gateway(body: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Whether the client is connected: True, False, or None where its words prove neither.

    In a high-availability pair only one node is connected and the others say `disconnected`, so one is enough.
    `connecting` proves nothing: a client that was kicked off tries again too.
    https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
    """
    words = [str(word) for word in _gateways(body.get("health"))]
    detail = ", ".join(words) or "no gateway status"
    if any(word in UP for word in words):
        return True, detail
    if words and all(word in DOWN for word in words):
        return False, detail
    return None, detail


def _gateways(health: Any) -> Iterable[Any]:
    if not isinstance(health, Mapping):
        return []
    if "gateway_status" in health:
        return [health["gateway_status"]]
    return [node.get("gateway_status") for node in health.values() if isinstance(node, Mapping)]


def expiry(body: Mapping[str, Any]) -> datetime | None:
    """When this client's build expires, from `/v1/support`; the earliest over all nodes."""
    support = body.get("support")
    if not isinstance(support, Mapping):
        return None
    nodes = [support] if "expire_timestamp" in support else [n for n in support.values() if isinstance(n, Mapping)]
    found = [when for when in (_time(node.get("expire_timestamp")) for node in nodes) if when is not None]
    return min(found) if found else None


def queued(body: Mapping[str, Any]) -> int:
    """The gauge `callback_queue_size` summed; 0 where it is not told. https://developers.facebook.com/docs/whatsapp/api/stats/"""
    stats = body.get("stats")
    app = stats.get("app") if isinstance(stats, Mapping) else None
    gauge = app.get("callback_queue_size") if isinstance(app, Mapping) else None
    rows = gauge.get("data") if isinstance(gauge, Mapping) else None
    return sum(int(row.get("value") or 0) for row in rows or [])


def profile_of(business: Mapping[str, Any], about: Mapping[str, Any]) -> Profile:
    """Both profile nodes in Cloud's words. A vertical that Cloud has no word for is left out."""
    settings = business.get("settings") or {}
    told = dict((settings.get("business") or {}).get("profile") or {})
    word = str(told.get("vertical") or "").upper().replace(" ", "_")
    told["vertical"] = word if word in VERTICALS else None
    text = (((about.get("settings") or {}).get("profile") or {}).get("about") or {}).get("text")
    return Profile.model_validate({**told, "websites": tuple(told.get("websites") or ()), "about": text})


def _time(value: Any) -> datetime | None:
    """Seconds since 1970, or ISO text with or without a zone."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float) or str(value).isdigit():
            return datetime.fromtimestamp(int(value), UTC)
        told = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None

"""Which error codes of Graph mean what to a caller, before any step is asked. Everything else is a refusal.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from migration.clients.masking import without_numbers
from migration.errors import CredentialsRefused, MigrationError, OutcomeUnknown, Rejected, Throttled, Transient

# The token is expired, revoked or malformed (190), the session is (102), or nobody can be authenticated (0).
CREDENTIALS = frozenset({0, 102, 190})
# App (4), user (17) and page (32) limits, the WABA's (80007) and its management edges' (80008), throughput (130429).
THROTTLED = frozenset({4, 17, 32, 613, 80007, 80008, 130429})
# The service said that it was not available; the call had no effect.
UNAVAILABLE = frozenset({131016, 133004})
# "Unknown error" (1), "temporarily unavailable" (2), "something went wrong" (131000): the effect is anybody's guess.
SAYS_NOTHING = frozenset({1, 2, 131000})

DEFAULT_THROTTLE = timedelta(seconds=30)
_WAIT = re.compile(r"(\d+)\s*(second|sec|minute|min|hour|day)", re.IGNORECASE)
_UNITS = {"sec": 1, "min": 60, "hou": 3600, "day": 86400}


def graph_error(call: str, answer: httpx.Response, body: Any, *, write: bool) -> MigrationError:
    """What a refusal or a broken answer of Graph means. Body first: 133000 comes with HTTP 500 and is an answer."""
    told = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(told, Mapping):
        return _without_code(call, answer, write)
    code = _int(told.get("code"))
    details = without_numbers(_details(told))
    message = f"{call}: {details}"
    subcode, trace = _int(told.get("error_subcode")), told.get("fbtrace_id")
    if code in CREDENTIALS:
        return CredentialsRefused(message, code, details, subcode, None, trace, "graph")
    if code in THROTTLED:
        return Throttled(message, regain(answer.headers) or parsed_wait(details) or DEFAULT_THROTTLE)
    if code in UNAVAILABLE:
        return Transient(message, True)
    if code in SAYS_NOTHING:
        return OutcomeUnknown(message) if write else Transient(message, True)
    return Rejected(message, code, details, subcode, parsed_wait(details), trace)


def _without_code(call: str, answer: httpx.Response, write: bool) -> MigrationError:
    if answer.status_code == 429:
        return Throttled(f"{call}: HTTP 429", regain(answer.headers) or DEFAULT_THROTTLE)
    if write:
        return OutcomeUnknown(f"{call}: HTTP {answer.status_code} without a readable body")
    return Transient(f"{call}: HTTP {answer.status_code} without a readable body", True)


def _details(told: Mapping[str, Any]) -> str:
    """`error_data` is an object in some answers and a string in others."""
    data = told.get("error_data")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return f"{told.get('message', '')} {data}".strip()
    details = data.get("details") if isinstance(data, Mapping) else None
    return str(details or told.get("error_user_msg") or told.get("message") or "no details")


def regain(headers: Mapping[str, str]) -> timedelta | None:
    """The longest `estimated_time_to_regain_access`, which Meta gives in minutes."""
    try:
        usage = json.loads(headers.get("x-business-use-case-usage", "null"))
    except ValueError:
        return None
    told = usage.values() if isinstance(usage, Mapping) else ()
    minutes = [
        _int(one.get("estimated_time_to_regain_access")) or 0
        for many in told
        if isinstance(many, list)
        for one in many
        if isinstance(one, Mapping)
    ]
    return timedelta(minutes=max(minutes)) if minutes and max(minutes) > 0 else None


def parsed_wait(details: str) -> timedelta | None:
    """How long a text asks to wait. The wording is undocumented, so any "number unit" counts; the longest wins."""
    found = [int(n) * _UNITS[unit[:3].lower()] for n, unit in _WAIT.findall(details)]
    return timedelta(seconds=max(found)) if found else None


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None

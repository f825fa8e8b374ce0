"""The error that a response of Graph means to a caller, whichever step made the call.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from migration.clients.json_values import int_or_none
from migration.errors import CredentialsRefused, MigrationError, OutcomeUnknown, Rejected, Throttled, Transient
from migration.scrubbing.texts import SafeText, Scrubber, as_safe

# The token is expired, revoked or malformed (190), the session is (102), or the caller cannot be authenticated (0).
CREDENTIALS = frozenset({0, 102, 190})
# Limits of the app (4), the user (17), the page (32), one API (613), the WABA (80007), its management calls (80008);
# throughput (130429).
THROTTLED = frozenset({4, 17, 32, 613, 80007, 80008, 130429})
# The service reports that it was not available; the call had no effect.
UNAVAILABLE = frozenset({131016, 133004})
# "Unknown error" (1), "temporarily unavailable" (2), "something went wrong" (131000): the effect is not known.
EFFECT_UNKNOWN = frozenset({1, 2, 131000})

DEFAULT_RETRY_AFTER = timedelta(seconds=30)
_WAIT = re.compile(r"(\d+)\s*(second|sec|minute|min|hour|day)", re.IGNORECASE)
_UNIT_SECONDS = {"sec": 1, "min": 60, "hou": 3600, "day": 86400}


def graph_error(call: str, response: httpx.Response, body: Any, *, write: bool) -> MigrationError:
    """The body, already scrubbed, decides before the HTTP status: 133000 comes with HTTP 500 and is a refusal."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return _status_error(call, response, write=write)
    error_code = int_or_none(error.get("code"))
    details = _details(error)
    message = f"{call}: {details}"
    error_subcode, trace_id = int_or_none(error.get("error_subcode")), Scrubber().identifier(error.get("fbtrace_id"))
    if error_code in CREDENTIALS:
        return CredentialsRefused(message, error_code, details, error_subcode, None, trace_id, "graph")
    if error_code in THROTTLED:
        retry_after = time_to_regain_access(response.headers) or parsed_wait(details) or DEFAULT_RETRY_AFTER
        return Throttled(message, retry_after)
    if error_code in UNAVAILABLE:
        return Transient(message, True)
    if error_code in EFFECT_UNKNOWN:
        return OutcomeUnknown(message) if write else Transient(message, True)
    return Rejected(message, error_code, details, error_subcode, parsed_wait(details), trace_id)


def _status_error(call: str, response: httpx.Response, *, write: bool) -> MigrationError:
    if response.status_code == 429:
        return Throttled(f"{call}: HTTP 429", time_to_regain_access(response.headers) or DEFAULT_RETRY_AFTER)
    message = f"{call}: HTTP {response.status_code} without a readable body"
    return OutcomeUnknown(message) if write else Transient(message, True)


def _details(error: Mapping[str, Any]) -> SafeText:
    """`error_data` is an object in some responses and a string in others."""
    data = error.get("error_data")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return as_safe(f"{error.get('message', '')} {data}".strip())
    details = data.get("details") if isinstance(data, Mapping) else None
    return as_safe(details or error.get("error_user_msg") or error.get("message") or "no details")


def time_to_regain_access(headers: Mapping[str, str]) -> timedelta | None:
    """The longest `estimated_time_to_regain_access`, which Meta gives in minutes."""
    try:
        usage = json.loads(headers.get("x-business-use-case-usage", "null"))
    except ValueError:
        return None
    minutes = [
        int_or_none(row.get("estimated_time_to_regain_access")) or 0
        for rows in (usage.values() if isinstance(usage, Mapping) else ())
        if isinstance(rows, list)
        for row in rows
        if isinstance(row, Mapping)
    ]
    longest = max(minutes, default=0)
    return timedelta(minutes=longest) if longest > 0 else None


def parsed_wait(details: str) -> timedelta | None:
    """The wait that a text asks for. Meta does not document the wording: any "number unit" counts, the longest wins."""
    waits = [int(number) * _UNIT_SECONDS[unit[:3].lower()] for number, unit in _WAIT.findall(details)]
    return timedelta(seconds=max(waits)) if waits else None

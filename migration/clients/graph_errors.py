"""The error that a response of Graph means to a caller, whichever step made the call.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from migration.clients.figures import LONGEST_PAUSE, pause, retry_after, text, whole
from migration.clients.http import Answer
from migration.clients.json_values import inside, parse_json
from migration.clients.usage_headers import ANYBODY, LONGEST_WAIT, Concerned, time_to_regain_access
from migration.errors import (
    CredentialsRefused,
    Intercepted,
    Limit,
    MigrationError,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Transient,
)
from migration.scrubbing.texts import SafeText, Scrubber, as_safe

# The token is expired, revoked or malformed (190), missing (104), the session is (102), or the caller cannot be
# authenticated (0).
CREDENTIALS = frozenset({0, 102, 104, 190})
# The token is good, and lacks a permission or the access to this asset: capability (3), permission (10, 200 to 299,
# and 131005, "access denied: permission is either not granted or has been removed").
PERMISSIONS = frozenset({3, 10, *range(200, 300), 131005})
# Of code 100 only the text tells that the app secret is not the app's: "Invalid appsecret_proof provided".
# https://developers.facebook.com/docs/graph-api/guides/secure-requests
WRONG_SECRET_CODE = 100
WRONG_APP_SECRET = re.compile(r"app\s*_?secret", re.IGNORECASE)
# "Object with ID ... does not exist, cannot be loaded due to missing permissions": code and subcode.
NOT_VISIBLE = (100, 33)
# Limits of the app (4, 341), the user (17), the page (32), one API (613), a business use case (80000 to 80014; 80007
# is the WABA, its management calls are 80008); throughput (130429); messages to one recipient (131056).
THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80000, 80015), 130429, 131056})
# A system user's calls (17) are those of its app, whatever WABA they are about.
_LIMITS: Mapping[int, Limit] = {
    4: "app",
    17: "app",
    341: "app",
    **dict.fromkeys((32, 613, *range(80000, 80015)), "waba"),
}
# The service reports that it was not available; the call had no effect.
UNAVAILABLE = frozenset({131016, 133004})
# "Unknown error" (1), "temporarily unavailable" (2), "something went wrong" (131000): the effect is not known.
EFFECT_UNKNOWN = frozenset({1, 2, 131000})
# That Terms are not accepted is told by this word, under any code (docs/unconfirmed.md). Such an answer
# is about neither the token nor a service that is down, whatever its code says elsewhere.
TERMS = "terms"
SHARED_WITH_TERMS = PERMISSIONS | UNAVAILABLE | EFFECT_UNKNOWN

# What counts where the body names no code. https://www.rfc-editor.org/rfc/rfc9110#section-15.5
UNAUTHORIZED_STATUS, FORBIDDEN_STATUS, PROXY_STATUS, THROTTLED_STATUS = 401, 403, 407, 429
# On each of Graph's own answers, and on none of a proxy that answers in its place.
# https://developers.facebook.com/docs/graph-api/guides/debugging
GRAPH_HEADERS = ("facebook-api-version", "x-fb-trace-id", "x-fb-request-id", "x-fb-rev")
GRAPH_CHALLENGE = "facebook platform"

DEFAULT_RETRY_AFTER = timedelta(seconds=30)
MOST_DETAILS = 2_000  # characters of a text that are looked at
_WAIT = re.compile(r"\b([0-9]{1,9})\s*(second|sec|minute|min|hour|day)", re.IGNORECASE)
_UNIT_SECONDS = {"sec": 1, "min": 60, "hou": 3600, "day": 86400}


def graph_error(
    call: str, answer: Answer, body: Any, now: datetime, *, write: bool, concerned: Concerned = ANYBODY
) -> MigrationError:
    """The body, already scrubbed, decides before the HTTP status: 133000 comes with HTTP 500 and is a refusal.

    `concerned`: whose rows of the usage headers say how long a refused call has to wait.
    """
    error = inside(body, "error")
    error_code = whole(error.get("code")) if isinstance(error, Mapping) else None
    by_status = error_code is None and (answer.status_code >= 500 or answer.status_code == THROTTLED_STATUS)
    if not isinstance(error, Mapping) or by_status or _repeats_the_status(error_code, answer):
        return _status_error(call, answer, now, concerned, write=write)
    details = _details(error)
    message = f"{call}: {details}"
    error_subcode, trace_id = whole(error.get("error_subcode")), Scrubber().identifier(error.get("fbtrace_id"))
    if error_code in SHARED_WITH_TERMS and TERMS in details.lower():
        return Rejected(message, error_code, details, error_subcode, None, trace_id)
    # Without any code this type means the token: https://developers.facebook.com/docs/graph-api/guides/error-handling
    by_type = answer.status_code == UNAUTHORIZED_STATUS or error.get("type") == "OAuthException"
    unauthorized = error_code is None and by_type
    if unauthorized or error_code in CREDENTIALS | PERMISSIONS or _is_wrong_app_secret(error_code, error):
        return CredentialsRefused(message, error_code, details, error_subcode, None, trace_id, "graph")
    if error_code in THROTTLED:
        asked = _asked_pause(answer, now, concerned) or parsed_wait(details, LONGEST_PAUSE)
        return Throttled(message, asked or DEFAULT_RETRY_AFTER, _LIMITS.get(error_code or 0))
    if error_code in UNAVAILABLE:
        return Transient(message, True)
    if error_code in EFFECT_UNKNOWN:
        return OutcomeUnknown(message, True) if write else Transient(message, True)
    return Rejected(message, error_code, details, error_subcode, parsed_wait(details), trace_id)


def _is_wrong_app_secret(error_code: int | None, error: Mapping[str, Any]) -> bool:
    return (
        error_code == WRONG_SECRET_CODE
        and WRONG_APP_SECRET.search(str(error.get("message") or "")[:MOST_DETAILS]) is not None
    )


def is_not_visible(exc: Rejected) -> bool:
    """Graph answers so for what is gone, and for what the token may not see."""
    return (exc.error_code, exc.error_subcode) == NOT_VISIBLE


def credentials_problem(exc: Rejected) -> str:
    """In words, what of a profile's credentials Graph does not accept."""
    if exc.error_code in PERMISSIONS or is_not_visible(exc):
        return "a permission of the token"
    return "the app secret" if is_of_app_secret(exc) else "the token"


def is_of_app_secret(exc: Rejected) -> bool:
    """Of what was raised as a refusal of credentials, whether it is about the app secret and not the token."""
    return exc.error_code == WRONG_SECRET_CODE


def _status_error(call: str, answer: Answer, now: datetime, concerned: Concerned, *, write: bool) -> MigrationError:
    if answer.status_code == THROTTLED_STATUS:
        return Throttled(f"{call}: HTTP 429", _asked_pause(answer, now, concerned) or DEFAULT_RETRY_AFTER)
    message = f"{call}: HTTP {answer.status_code}, {answer.unreadable or 'without a readable body'}"
    if answer.status_code in (UNAUTHORIZED_STATUS, FORBIDDEN_STATUS, PROXY_STATUS):
        if answer.status_code != PROXY_STATUS and _is_of_graph(answer.headers):
            details = as_safe(f"HTTP {answer.status_code} without an error code")
            if answer.status_code == UNAUTHORIZED_STATUS:
                return CredentialsRefused(message, None, details, refused_by="graph")
            return Rejected(message, None, details)  # it may concern this number or WABA alone
        message += "; it is not Graph's own answer: something between may have refused the call"
        return OutcomeUnknown(message) if write else Intercepted(message, True)
    return OutcomeUnknown(message, answer.status_code >= 500) if write else Transient(message, True)


def _repeats_the_status(error_code: int | None, answer: Answer) -> bool:
    """Gateways put the HTTP status in the place of a code; Graph has no codes like that."""
    refuses = answer.status_code in (UNAUTHORIZED_STATUS, FORBIDDEN_STATUS, PROXY_STATUS, THROTTLED_STATUS)
    return error_code == answer.status_code and (refuses or answer.status_code >= 500)


def _is_of_graph(headers: Mapping[str, str]) -> bool:
    challenge = headers.get("www-authenticate", "").lower()
    return GRAPH_CHALLENGE in challenge or any(headers.get(name) for name in GRAPH_HEADERS)


def _details(error: Mapping[str, Any]) -> SafeText:
    """`error_data` is an object in some responses and a string in others."""
    data = error.get("error_data")
    plain = data if isinstance(data, str) else ""
    if plain and isinstance(parsed := parse_json(plain.encode()), Mapping):
        data = parsed
    elif plain:
        return as_safe(f"{text(error.get('message')) or ''} {plain}".strip())
    details = text(inside(data, "details")) or text(error.get("error_user_msg")) or text(error.get("message"))
    return as_safe(details or "no details")


def _asked_pause(answer: Answer, now: datetime, concerned: Concerned) -> timedelta | None:
    """The pause that the headers ask for; None where they ask for none that can be read."""
    return time_to_regain_access(answer.headers, concerned) or retry_after(answer.headers, now)


def parsed_wait(details: str, longest: timedelta = LONGEST_WAIT) -> timedelta | None:
    """The wait that a text asks for. Meta does not document the wording: any "number unit" counts, the longest wins.

    A wait longer than `longest` is none: nobody means it.
    """
    found = _WAIT.findall(details[:MOST_DETAILS])
    waits = (pause(float(figure) * _UNIT_SECONDS[unit[:3].lower()], longest) for figure, unit in found)
    return max((each for each in waits if each is not None), default=None)

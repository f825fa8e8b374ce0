"""Reads the bodies of the On-Premises API: errors, health over all topologies, queues, expiry."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite, nan
from typing import Any

from migration.clients.figures import count, moment, number, retry_after, text, whole
from migration.clients.http import Answer
from migration.clients.json_values import inside
from migration.errors import MigrationError, OutcomeUnknown, Rejected, Throttled, Transient
from migration.scrubbing.texts import as_safe
from state.phone_spelling import plain_digits

# https://developers.facebook.com/docs/whatsapp/api/errors
# 1011 not ready, 1014 Coreapp does not answer, 1017/1018 not the primary, 1023 database: the call had no effect.
UNAVAILABLE = frozenset({1011, 1014, 1017, 1018, 1023})
# 1015 too many requests, 1016 overloaded, 429 rate limit.
THROTTLED = frozenset({429, 1015, 1016})
# 500 and 1000, "generic error": whether the call had an effect is not known.
EFFECT_UNKNOWN = frozenset({500, 1000})
RETRY_AFTER = timedelta(seconds=15)  # where the response names no time; the figure is ours

MOST_NODES = 20  # of one cluster whose statuses are shown
CONNECTED = frozenset({"connected"})
NOT_CONNECTED = frozenset({"disconnected", "unregistered"})


def envelope_error(call: str, answer: Answer, body: Any, now: datetime, *, write: bool) -> MigrationError | None:
    """The error that a response means, or None for a success.

    `errors[]` in the body counts whatever the HTTP status is; so does a body that is a single error object.
    """
    error = _first_error(body)
    if error is None:
        return _status_error(call, answer, now, write=write)
    error_code = whole(error.get("code"))
    details = as_safe(text(error.get("details")) or text(error.get("title")) or "no details")
    if error_code in THROTTLED:
        return Throttled(f"{call}: {details} ({error_code})", retry_after(answer.headers, now) or RETRY_AFTER)
    if error_code in UNAVAILABLE:
        return Transient(f"{call}: {details} ({error_code})", True)
    if error_code in EFFECT_UNKNOWN:
        return OutcomeUnknown(f"{call}: {details}") if write else Transient(f"{call}: {details} ({error_code})", True)
    return Rejected(f"{call}: {details}", error_code, details)


def _status_error(call: str, answer: Answer, now: datetime, *, write: bool) -> MigrationError | None:
    status = answer.status_code
    if answer.is_success:
        return None
    if status in (429, 503):
        return Throttled(f"{call}: HTTP {status}", retry_after(answer.headers, now) or RETRY_AFTER)
    if status >= 500 or is_of_proxy(answer):
        message = f"{call}: HTTP {status}, {answer.unreadable or 'without a readable body'}"
        return OutcomeUnknown(message) if write else Transient(message, True)
    return Rejected(f"{call}: HTTP {status}", None, as_safe(f"HTTP {status}"))


def is_of_proxy(answer: Answer) -> bool:
    """Whether a refusal is that of a proxy in front of the client: a client's own has no body, or one that is JSON."""
    return answer.status_code == 407 or (answer.status_code in (401, 403) and answer.unreadable is not None)


def _first_error(body: Any) -> Mapping[str, Any] | None:
    if not isinstance(body, Mapping):
        return None
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        return errors[0]
    return body if "code" in body and "title" in body else None


def gateway_connected(health: Mapping[str, Any]) -> tuple[bool | None, str]:
    """From `/v1/health`: whether the client is connected, None where that is not known; and the statuses as text.

    In a high-availability pair only one node, a Coreapp, is connected and the others report `disconnected`, so one is
    enough. A Master never serves without a Coreapp, and a registration is of all nodes: what contradicts that is not
    known. `connecting` proves nothing: a client whose number was registered elsewhere reports it too while it retries.
    https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
    """
    nodes = list(_gateway_nodes(health.get("health")))
    statuses = [node.status for node in nodes]
    detail = ", ".join(statuses[:MOST_NODES]) or "no gateway status"
    if any(status in CONNECTED for status in statuses):
        return None if _contradict_connected(nodes) else True, detail
    if statuses and all(status in NOT_CONNECTED for status in statuses):
        return False, detail
    return None, detail


@dataclass(frozen=True, slots=True)
class _Node:
    """`role`: `primary_master`, `secondary_master` or `coreapp`; empty where the client names none."""

    status: str
    role: str = ""


def _contradict_connected(nodes: Iterable[_Node]) -> bool:
    """Whether some nodes say what cannot be while another one is connected."""
    coreapps = [node.status for node in nodes if node.role == "coreapp"]
    without_coreapp = bool(coreapps) and not any(status in CONNECTED for status in coreapps)
    return without_coreapp or any(node.status == "unregistered" for node in nodes)


def _gateway_nodes(health: Any) -> Iterable[_Node]:
    """A single node reports its status at the top; a cluster reports an object per node."""
    if not isinstance(health, Mapping):
        return []
    rows = [health] if "gateway_status" in health else list(health.values())
    # A node that cannot be read may be the one that serves: it is not left out.
    return [_Node(_word(inside(row, "gateway_status")) or "unreadable", _word(inside(row, "role"))) for row in rows]


def _word(value: Any) -> str:
    return (text(value) or "").strip().lower()


@dataclass(frozen=True, slots=True)
class Expiry:
    """`readable` is False where a client names a time that cannot be read: then it is not known to have expired."""

    at: datetime | None = None
    readable: bool = True


def expiry(body: Mapping[str, Any]) -> Expiry:
    """From `/v1/support`: when this client's build expires; the earliest time over all nodes."""
    support = body.get("support")
    if not isinstance(support, Mapping):
        return Expiry()
    nodes = [support] if "expire_timestamp" in support else [n for n in support.values() if isinstance(n, Mapping)]
    named = [node["expire_timestamp"] for node in nodes if node.get("expire_timestamp") not in (None, "")]
    times = [moment(value) for value in named]
    return Expiry(min((time for time in times if time is not None), default=None), None not in times)


# Digits with the separators in which people write a number; other texts of `debug_info` name none.
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{4,20}")


def registered_numbers(body: Mapping[str, Any]) -> frozenset[str]:
    """From `/v1/support`: the numbers for which the client's nodes say that it is registered.

    `debug_info` is the phone number, or `unregistered`. https://developers.facebook.com/docs/whatsapp/api/support
    """
    named = (plain_digits(text(value) or "").strip() for value in _of_nodes(body, "debug_info"))
    return frozenset(one for one in named if _NUMBER.fullmatch(one))


def contradicts_health(body: Mapping[str, Any]) -> str | None:
    """What of `/v1/support` cannot be while health says `connected`, as the end of a sentence; None for nothing.

    In a cluster the nodes without a shard have no socket, so it is one only where no node has one, or is registered.
    """
    sockets = {_word(value) for value in _of_nodes(body, "socket_conn")}
    if sockets == {"dn"}:
        return "and its socket to WhatsApp is down"
    registered = {_word(value) for value in _of_nodes(body, "debug_info")}
    return "and it says that it is not registered" if registered == {"unregistered"} else None


def _of_nodes(body: Mapping[str, Any], name: str) -> list[Any]:
    """The field of each node, None where a node has none: a single node has it at the top."""
    support = body.get("support")
    if not isinstance(support, Mapping):
        return []
    nodes = [support] if name in support else list(support.values())
    return [inside(node, name) for node in nodes]


@dataclass(frozen=True, slots=True)
class CallbackQueue:
    """`queued`: callbacks that wait, over all nodes; None where one of them cannot be read.

    `posted`: callbacks that were sent since the client started, whatever was answered; None where it is not counted.
    """

    queued: int | None
    posted: int | None = None
    nodes: int = 1


def callback_queue(body: Mapping[str, Any]) -> CallbackQueue:
    """From `/v1/stats/app`: the gauge `callback_queue_size` and the counter `callback_requests`.

    A gauge that is missing says nothing about the queue. https://developers.facebook.com/docs/whatsapp/api/stats/
    """
    queued, nodes = _sum(body, "callback_queue_size")
    posted, _ = _sum(body, "callback_requests")
    return CallbackQueue(queued, posted, nodes)


# What a customer's programs call to send; `POST_v1_messages` is one, as the documentation has them.
SENDING = ("POST_v1_messages", "PUT_v1_messages", "POST_v1_contacts", "POST_v1_media")


def sending_time(body: Mapping[str, Any] | bytes) -> float | None:
    """From `/metrics`: milliseconds that calls to send have taken, over all nodes; they grow with each call.

    JSON, or the text that Prometheus reads; None where the client does not tell.
    https://developers.facebook.com/docs/whatsapp/on-premises/reference/metrics
    """
    if isinstance(body, bytes):
        return _sending_time_in_text(body.decode("utf-8", "replace"))
    rows = inside(body, "metrics", "api_requests_duration_ms_sum", "data")
    if not isinstance(rows, list):
        rows = inside(body, "api_requests_duration_ms_sum", "data")
    if not isinstance(rows, list):
        return None
    total = 0.0
    for row in rows:
        value, method = inside(row, "value"), inside(row, "labels", "method")
        if isinstance(method, str) and method.startswith(SENDING):
            milliseconds = number(value)
            if milliseconds is None:
                return None
            total += milliseconds
    return total


# https://prometheus.io/docs/instrumenting/exposition_formats/
_SAMPLE = re.compile(r"api_requests_duration_ms_sum\{([^}]{0,1000})\}[ \t]+([^\s]{1,40})", re.ASCII)
_METHOD = re.compile(r'(?:^|,)\s*method="([^"]*)"')


def _sending_time_in_text(text: str) -> float | None:
    total, told = 0.0, False
    for labels, value in _SAMPLE.findall(text):
        told = True
        method = _METHOD.search(labels)
        if method is not None and method[1].startswith(SENDING):
            total += _float(value)
    return total if told and isfinite(total) else None


def _float(text: str) -> float:
    """A text that is no number counts as NaN, and makes the sum NaN."""
    try:
        return float(text)
    except ValueError:
        return nan


def _sum(body: Mapping[str, Any], metric: str) -> tuple[int | None, int]:
    """Over all rows, which are nodes or kinds, and how many there are."""
    rows = inside(body, "stats", "app", metric, "data")
    if not isinstance(rows, list) or not rows:
        return None, 0
    values = [count(inside(row, "value")) for row in rows]
    return (None if None in values else sum(value for value in values if value is not None)), len(rows)

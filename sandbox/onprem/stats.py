"""The statistics of an On-Premises client, as JSON or in the text format of Prometheus.

https://developers.facebook.com/docs/whatsapp/api/stats/
https://developers.facebook.com/docs/whatsapp/on-premises/reference/metrics
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sandbox.onprem.call import OnPremCall
from sandbox.onprem.messages import queued

UP_BEFORE_S = 3600  # uptime of a client when the fleet begins; ours
Row = tuple[float, Mapping[str, str]]


def _metric(kind: str, text: str, *rows: Row) -> dict[str, Any]:
    data = [{"value": value} | ({"labels": dict(labels)} if labels else {}) for value, labels in rows]
    return {"type": kind, "help": text, "data": data}


def app(call: OnPremCall) -> tuple[int, Any]:
    waiting, posts = queued(call.world, call.instance), call.instance.posted
    posted: list[Row] = [(count, {"result": result, "type": kind}) for (kind, result), count in sorted(posts.items())]
    return _response(
        call,
        {
            "callback_queue_size": _metric("gauge", "Callbacks waiting to be sent", (waiting, {})),
            "callback_requests": _metric("counter", "Number of callback requests", *posted),
            "callback_requests_duration_ms_count": _metric("counter", "As above, timed", (sum(posts.values()), {})),
            "endpoint_requests": _metric("counter", "Calls of the API", (sum(call.instance.answered.values()), {})),
        },
        "stats",
        "app",
    )


def db(call: OnPremCall) -> tuple[int, Any]:
    known = Counter(call.instance.contacts.values())
    contacts: list[Row] = [
        (known["valid"], {"type": "whatsapp_user"}),
        (known["invalid"], {"type": "non_whatsapp_user"}),
    ]
    return _response(
        call,
        {
            "db_contacts": _metric("gauge", "Contacts in the database", *contacts),
            "db_messages": _metric("gauge", "Messages in the database", (call.instance.messages, {"type": "outgoing"})),
            "db_message_receipts": _metric("gauge", "Receipts in the database", (call.instance.messages, {})),
        },
        "stats",
        "db",
    )


def metrics(call: OnPremCall) -> tuple[int, Any]:
    client, now = call.instance, call.world.now()
    up = (now - client.up_since).total_seconds() if client.up_since is not None else UP_BEFORE_S
    calls: list[Row] = [
        (count, {"node": client.id, "result": result, "method": call})
        for (call, result), count in sorted(client.answered.items())
    ]
    values = {
        "web_uptime": _metric("gauge", "Seconds since the start", (int(up), {})),
        "web_requests": _metric("counter", "Requests", (sum(client.answered.values()), {})),
        # Each call counts as a millisecond.
        "api_requests_duration_ms_sum": _metric("counter", "Milliseconds that calls took", *calls),
    }
    return _response(call, values, "metrics")


def _response(call: OnPremCall, values: dict[str, Any], *path: str) -> tuple[int, Any]:
    if call.request.query_params().get("format") == "prometheus":
        return 200, _text(values)
    body: Any = values
    for name in reversed(path):
        body = {name: body}
    return 200, body


def _text(values: Mapping[str, Any]) -> str:
    """https://prometheus.io/docs/instrumenting/exposition_formats/"""
    lines: list[str] = []
    for name, metric in values.items():
        lines += [f"# HELP {name} {metric['help']}", f"# TYPE {name} {metric['type']}"]
        for row in metric["data"]:
            labels = ",".join(f'{label}="{value}"' for label, value in row.get("labels", {}).items())
            lines.append(f"{name}{{{labels}}} {row['value']}" if labels else f"{name} {row['value']}")
    return "\n".join(lines) + "\n"

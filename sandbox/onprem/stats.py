"""What an On-Premises client counts, as JSON or in the text format of Prometheus.

https://developers.facebook.com/docs/whatsapp/api/stats/
https://developers.facebook.com/docs/whatsapp/on-premises/reference/metrics
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sandbox.onprem.call import Visit
from sandbox.onprem.messages import queued

BEFORE = 3600  # seconds that a client was up before anybody looked; ours
Row = tuple[float, Mapping[str, str]]


def _metric(kind: str, text: str, *rows: Row) -> dict[str, Any]:
    data = [{"value": value} | ({"labels": dict(labels)} if labels else {}) for value, labels in rows]
    return {"type": kind, "help": text, "data": data}


def app(visit: Visit) -> tuple[int, Any]:
    waiting, posts = queued(visit.world, visit.instance), visit.instance.posted
    posted: list[Row] = [(count, {"result": result, "type": told}) for (told, result), count in sorted(posts.items())]
    return _shown(
        visit,
        {
            "callback_queue_size": _metric("gauge", "Callbacks waiting to be sent", (waiting, {})),
            "callback_requests": _metric("counter", "Number of callback requests", *posted),
            "callback_requests_duration_ms_count": _metric("counter", "As above, timed", (sum(posts.values()), {})),
            "endpoint_requests": _metric("counter", "Calls of the API", (sum(visit.instance.answered.values()), {})),
        },
        "stats",
        "app",
    )


def db(visit: Visit) -> tuple[int, Any]:
    known = Counter(visit.instance.contacts.values())
    contacts: list[Row] = [
        (known["valid"], {"type": "whatsapp_user"}),
        (known["invalid"], {"type": "non_whatsapp_user"}),
    ]
    return _shown(
        visit,
        {
            "db_contacts": _metric("gauge", "Contacts in the database", *contacts),
            "db_messages": _metric(
                "gauge", "Messages in the database", (visit.instance.messages, {"type": "outgoing"})
            ),
            "db_message_receipts": _metric("gauge", "Receipts in the database", (visit.instance.messages, {})),
        },
        "stats",
        "db",
    )


def metrics(visit: Visit) -> tuple[int, Any]:
    client, now = visit.instance, visit.world.now()
    up = (now - client.up_since).total_seconds() if client.up_since is not None else BEFORE
    calls: list[Row] = [
        (0, {"node": client.id, "result": result, "method": call}) for call, result in sorted(client.answered)
    ]
    found = {
        "web_uptime": _metric("gauge", "Seconds since the start", (int(up), {})),
        "web_requests": _metric("counter", "Requests", (sum(client.answered.values()), {})),
        # Here calls take no time.
        "api_requests_duration_ms_sum": _metric("counter", "Milliseconds that calls took", *calls),
    }
    return _shown(visit, found, "metrics")


def _shown(visit: Visit, found: dict[str, Any], *nests: str) -> tuple[int, Any]:
    if visit.request.queried().get("format") == "prometheus":
        return 200, _text(found)
    whole: Any = found
    for nest in reversed(nests):
        whole = {nest: whole}
    return 200, whole


def _text(found: Mapping[str, Any]) -> str:
    """https://prometheus.io/docs/instrumenting/exposition_formats/"""
    lines: list[str] = []
    for name, metric in found.items():
        lines += [f"# HELP {name} {metric['help']}", f"# TYPE {name} {metric['type']}"]
        for row in metric["data"]:
            labels = ",".join(f'{label}="{value}"' for label, value in row.get("labels", {}).items())
            lines.append(f"{name}{{{labels}}} {row['value']}" if labels else f"{name} {row['value']}")
    return "\n".join(lines) + "\n"

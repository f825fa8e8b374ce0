"""What an On-Premises client counts, as JSON or in the text format of Prometheus.

https://developers.facebook.com/docs/whatsapp/api/stats/
https://developers.facebook.com/docs/whatsapp/on-premises/reference/metrics
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from migration.sandbox.onprem_messages import queued
from migration.sandbox.onprem_visit import Visit

Row = tuple[float, Mapping[str, str]]


def _metric(kind: str, text: str, *rows: Row) -> dict[str, Any]:
    data = [{"value": value} | ({"labels": dict(labels)} if labels else {}) for value, labels in rows]
    return {"type": kind, "help": text, "data": data}


def app(visit: Visit) -> tuple[int, Any]:
    sent = {"result": "ok", "type": "status_change"}
    waiting = queued(visit.world, visit.instance)
    return _shown(
        visit,
        {
            "callback_queue_size": _metric("gauge", "Callbacks waiting to be sent", (waiting, {})),
            "callback_requests": _metric("counter", "Number of callback requests", (visit.instance.messages, sent)),
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
        },
        "stats",
        "db",
    )


def metrics(visit: Visit) -> tuple[int, Any]:
    return _shown(visit, {"web_uptime": _metric("gauge", "Seconds since the start", (3600, {}))}, "metrics")


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

"""How an On-Premises client says that it is: health, support, stats.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
"""

from datetime import UTC
from typing import Any

from migration.sandbox import deployments, messaging
from migration.sandbox.onprem_visit import Visit


def _containers(visit: Visit) -> list[tuple[str, str]]:
    """(node, role) of a deployment of several containers."""
    client = visit.instance
    if client.topology == "ha":
        roles = ["primary_master", "secondary_master", "coreapp", "coreapp"]
    else:
        roles = ["primary_master", *["coreapp"] * client.shards]
    return [(f"{client.id}-{at}:{role[:4]}{at}", role) for at, role in enumerate(roles)]


def health(visit: Visit) -> tuple[int, Any]:
    """One status, or one per node. In high availability only the owning Coreapp is connected."""
    deployments.needs_coreapp(visit.world, visit.instance)
    status = deployments.gateway_status(visit.world, visit.instance)
    if visit.instance.topology == "single":
        return 200, {"health": {"gateway_status": status}}
    nodes: dict[str, Any] = {}
    for at, (node, role) in enumerate(_containers(visit)):
        idle = status == "connected" and visit.instance.topology == "ha" and at != 2
        nodes[node] = {"gateway_status": "disconnected" if idle else status, "role": role}
    return 200, {"health": nodes}


def support(visit: Visit) -> tuple[int, Any]:
    deployments.needs_coreapp(visit.world, visit.instance)
    if visit.instance.topology == "single":
        return 200, {"support": _node(visit, "coreapp", [[-1, -1], [0, 0]])}
    nodes: dict[str, Any] = {}
    shard = 0
    for node, role in _containers(visit):
        owned: list[list[int]] = [[-1, -1]] if role == "primary_master" else []
        if role == "coreapp" and (visit.instance.topology == "multiconnect" or shard == 0):
            owned, shard = [[shard, shard]], shard + 1
        nodes[node] = _node(visit, role, owned)
    return 200, {"support": nodes}


def _node(visit: Visit, role: str, shards: list[list[int]]) -> dict[str, Any]:
    client, world = visit.instance, visit.world
    connected = world.connected(client)
    expires = client.expires_at.astimezone(UTC)
    return {
        "context": "support",
        "db_engine": "MYSQL",
        "debug_info": client.e164.lstrip("+") if client.registered else "unregistered",
        "description": f"WhatsApp Business API client {client.version}",
        "device_iso8601": world.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "e2e": {"identity_timestamp": 1600000000, "registration_id": 1},
        "expire_timestamp": expires.strftime("%Y-%m-%d %H:%M:%S+00:00"),
        "free_space_data": 50_000_000_000,
        "multi_connect": client.topology == "multiconnect",
        "os_name": "Linux",
        "role": role,
        "shards": shards,
        "socket_conn": "UP" if connected else "DN",
    }


# -- stats


def _gauge(text: str, value: float, **labels: str) -> dict[str, Any]:
    row: dict[str, Any] = {"value": value} | ({"labels": labels} if labels else {})
    return {"type": "gauge", "help": text, "data": [row]}


def stats_app(visit: Visit) -> tuple[int, Any]:
    queued = messaging.queued(visit.world, visit.instance)
    sent = _gauge("Number of callback requests", visit.instance.messages, result="ok", type="status_change")
    app = {"callback_queue_size": _gauge("Callbacks waiting to be sent", queued), "callback_requests": sent}
    return 200, {"stats": {"app": app}}


def stats_db(visit: Visit) -> tuple[int, Any]:
    rows = {"db_messages": _gauge("Messages in the database", visit.instance.messages, type="outgoing")}
    return 200, {"stats": {"db": rows | {"db_contacts": _gauge("Contacts", 0, type="whatsapp_user")}}}


def metrics(visit: Visit) -> tuple[int, Any]:
    return 200, {"metrics": {"web_uptime": _gauge("Seconds since the start", 3600)}}

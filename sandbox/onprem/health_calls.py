"""Health and support of an On-Premises client, for each node of a deployment with several containers.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
https://developers.facebook.com/docs/whatsapp/api/support
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.onprem import deployments
from sandbox.onprem.call import OnPremCall
from sandbox.world.instance import Instance

# When every client was installed: a date at which all of them were alive.
INSTALLED = datetime(2020, 9, 13, tzinfo=UTC)


def containers(client: Instance) -> list[tuple[str, str]]:
    """(node, role) of each container of a deployment with several."""
    if client.topology == "ha":
        roles = ["primary_master", "secondary_master", "coreapp", "coreapp"]
    else:
        roles = ["primary_master", *["coreapp"] * client.shards]
    return [(f"{client.id}-{at}:{role[:4]}{at}", role) for at, role in enumerate(roles)]


@dataclass(frozen=True, slots=True)
class Container:
    """`owns`: the shards for which it holds a connection of its own."""

    name: str
    role: str
    owns: list[list[int]]


def _nodes(client: Instance) -> Iterator[Container]:
    """In high availability the first Coreapp owns all shards; in multiconnect each Coreapp and the Master own one."""
    coreapps = 0
    for name, role in containers(client):
        if role == "coreapp":
            own = [[coreapps, coreapps]] if client.topology == "multiconnect" else [[-1, -1], [0, 0]]
            yield Container(name, role, own if client.topology == "multiconnect" or coreapps == 0 else [])
            coreapps += 1
        else:
            owns = client.topology == "multiconnect" and role == "primary_master"
            yield Container(name, role, [[-1, -1]] if owns else [])


def health(call: OnPremCall) -> tuple[int, Any]:
    """One status, or one for each node. In high availability only the Coreapp that owns the shards is connected.

    Health answers while the client starts or its database is upgraded. It does not while the Coreapp is down.
    """
    client, world = call.instance, call.world
    status = deployments.gateway_status(world, client)
    if status != "uninitialized" and not _webapp_answers_alone(call):
        deployments.needs_coreapp(world, client)
    status = status or "disconnected"
    if client.topology == "single":
        return 200, {"health": {"gateway_status": status}}
    up = status in ("connected", "connecting")
    return 200, {
        "health": {
            node.name: {"gateway_status": status if node.owns or not up else "disconnected", "role": node.role}
            for node in _nodes(client)
        }
    }


def _webapp_answers_alone(call: OnPremCall) -> bool:
    """Undocumented: the Webapp may answer health by itself while the Coreapp is down."""
    dead = not call.instance.coreapp_up or call.instance.needs_restart
    return dead and call.world.switches.health_coreapp_down == "disconnected"


def support(call: OnPremCall) -> tuple[int, Any]:
    client = call.instance
    if client.topology == "single":
        return 200, {"support": _node(call, Container(client.id, "coreapp", [[-1, -1], [0, 0]]))}
    return 200, {"support": {node.name: _node(call, node) for node in _nodes(client)}}


def _node(call: OnPremCall, node: Container) -> dict[str, Any]:
    client, world = call.instance, call.world
    expires = client.expires_at.astimezone(UTC)
    return {
        "context": "support",
        "db_engine": "MYSQL",
        "db_info": [{"name": "waweb", "version": "8.0"}],
        "debug_info": client.e164.lstrip("+") if deployments.shows_registered(world, client) else "unregistered",
        "description": f"WhatsApp Business API client {client.version}",
        "device_iso8601": world.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "e2e": {"identity_timestamp": int(INSTALLED.timestamp()), "registration_id": 1},
        "env": [],
        "expire_timestamp": expires.strftime("%Y-%m-%d %H:%M:%S+00:00"),
        "free_space_data": 50_000_000_000,
        "free_space_logs": 20_000_000_000,
        "free_space_media_incoming": 30_000_000_000,
        "free_space_media_outgoing": 30_000_000_000,
        "lc": "US",
        "lg": "en",
        "multi_connect": client.topology == "multiconnect",
        "os_name": "Linux",
        "os_version": "5.15",
        "role": node.role,
        "schema": dict.fromkeys(SCHEMAS, 1),
        "shards": node.owns,
        "socket_conn": deployments.state_now(world, client).socket if node.owns else "DN",
    }


SCHEMAS = ("axolotl", "callback", "cluster", "config", "contact", "jobqueue", "message")

"""The nodes of an On-Premises client: health, support, settings, registration, backup, stats, media.

Every handler gives an HTTP status and a body without its `meta`, or raises OnPremRefusal.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from migration.sandbox import deployments, messaging
from migration.sandbox.errors import OnPremRefusal
from migration.sandbox.instance import User, merged

if TYPE_CHECKING:
    from migration.sandbox.onprem import Visit

Handler = Callable[["Visit"], tuple[int, Any]]
LONGEST: Mapping[str, int] = {"description": 256, "address": 256, "email": 128, "vertical": 128}
LONGEST_ABOUT = 139

# -- health and support


def _containers(visit: "Visit") -> list[tuple[str, str]]:
    """(node, role) of a deployment of several containers."""
    client = visit.instance
    if client.topology == "ha":
        roles = ["primary_master", "secondary_master", "coreapp", "coreapp"]
    else:
        roles = ["primary_master", *["coreapp"] * client.shards]
    return [(f"{client.id}-{at}:{role[:4]}{at}", role) for at, role in enumerate(roles)]


def _health(visit: "Visit") -> tuple[int, Any]:
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


def _support(visit: "Visit") -> tuple[int, Any]:
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


def _node(visit: "Visit", role: str, shards: list[list[int]]) -> dict[str, Any]:
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


# -- settings and profile


def _application(visit: "Visit") -> tuple[int, Any]:
    wa_id = {"wa_id": visit.instance.e164.lstrip("+")} if visit.instance.registered else {}
    return 200, {"settings": {"application": visit.instance.application() | wa_id}}


def _set_application(visit: "Visit") -> tuple[int, Any]:
    """What is absent stays; success has no body."""
    visit.instance.settings = merged(visit.instance.settings, visit.body)
    return 200, None


def _reset_application(visit: "Visit") -> tuple[int, Any]:
    visit.instance.settings = {}
    return 200, None


def _profile(visit: "Visit") -> tuple[int, Any]:
    return 200, {"settings": {"business": {"profile": dict(visit.instance.profile)}}}


def _set_profile(visit: "Visit") -> tuple[int, Any]:
    for name, longest in LONGEST.items():
        if len(str(visit.body.get(name, ""))) > longest:
            raise OnPremRefusal(1009, f"Parameter '{name}' is longer than {longest}")
    known = (*LONGEST, "websites")
    visit.instance.profile |= {name: visit.body[name] for name in known if name in visit.body}
    return 200, {}


def _about(visit: "Visit") -> tuple[int, Any]:
    return 200, {"settings": {"profile": {"about": {"text": visit.instance.about}}}}


def _set_about(visit: "Visit") -> tuple[int, Any]:
    text = str(visit.body.get("text", ""))
    if not 0 < len(text) <= LONGEST_ABOUT:
        raise OnPremRefusal(1009, f"Parameter 'text' must have 1 to {LONGEST_ABOUT} characters")
    visit.instance.about = text
    return 200, {}


def _photo(visit: "Visit") -> tuple[int, Any]:
    if visit.instance.photo is None:
        raise OnPremRefusal(1006, "No profile photo")
    if visit.request.queried().get("format") == "link":
        return 200, {
            "settings": {"profile": {"photo": {"link": f"https://pps.example/{visit.instance.id}.jpg"}}}
        }
    return 200, visit.instance.photo


def _set_photo(visit: "Visit") -> tuple[int, Any]:
    if not visit.request.body:
        raise OnPremRefusal(1008, "The picture is missing")
    visit.instance.photo = visit.request.body
    return 201, {}


def _delete_photo(visit: "Visit") -> tuple[int, Any]:
    visit.instance.photo = None
    return 200, {}


# -- registration, two-step, backup


def _account(visit: "Visit") -> tuple[int, Any]:
    """201: registered already. 202: a code is on its way."""
    if deployments.register_account(visit.world, visit.instance, visit.body):
        return 201, {}
    number = visit.world.number_of(visit.instance)
    return 202, {"account": [{"vname": number.name if number is not None else ""}]}


def _verify(visit: "Visit") -> tuple[int, Any]:
    deployments.verify_account(visit.world, visit.instance, visit.body.get("code"))
    return 201, {}


def _shards(visit: "Visit") -> tuple[int, Any]:
    """More than 7 days after registration this call disconnects the number; so it always does here."""
    shards = visit.body.get("shards")
    if shards not in (1, 2, 4, 8, 16, 32):
        raise OnPremRefusal(1009, "Parameter 'shards' must be 1, 2, 4, 8, 16 or 32")
    number = visit.world.number_of(visit.instance)
    assert number is not None
    with visit.world.changing(number):
        visit.instance.shards = int(shards)
        visit.instance.registered = False
    return 201, {}


def _two_step(visit: "Visit") -> tuple[int, Any]:
    if "pin" not in visit.body:
        raise OnPremRefusal(1008, "Parameter 'pin' is mandatory")
    deployments.set_two_step(visit.world, visit.instance, visit.body["pin"])
    return 200, {}


def _two_step_off(visit: "Visit") -> tuple[int, Any]:
    deployments.set_two_step(visit.world, visit.instance, None)
    return 200, None


def _backup(visit: "Visit") -> tuple[int, Any]:
    data = deployments.back_up(visit.world, visit.instance, visit.body.get("password"))
    return 200, {"settings": {"data": data}}


def _restore(visit: "Visit") -> tuple[int, Any]:
    deployments.restore(visit.world, visit.instance, visit.body.get("data"), visit.body.get("password"))
    return 200, None


# -- stats


def _gauge(text: str, value: float, **labels: str) -> dict[str, Any]:
    row: dict[str, Any] = {"value": value} | ({"labels": labels} if labels else {})
    return {"type": "gauge", "help": text, "data": [row]}


def _stats_app(visit: "Visit") -> tuple[int, Any]:
    queued = visit.instance.callbacks.settle(visit.world.now())
    sent = _gauge("Number of callback requests", visit.instance.messages, result="ok", type="status_change")
    app = {"callback_queue_size": _gauge("Callbacks waiting to be sent", queued), "callback_requests": sent}
    return 200, {"stats": {"app": app}}


def _stats_db(visit: "Visit") -> tuple[int, Any]:
    rows = {"db_messages": _gauge("Messages in the database", visit.instance.messages, type="outgoing")}
    return 200, {"stats": {"db": rows | {"db_contacts": _gauge("Contacts", 0, type="whatsapp_user")}}}


def _metrics(visit: "Visit") -> tuple[int, Any]:
    return 200, {"metrics": {"web_uptime": _gauge("Seconds since the start", 3600)}}


# -- users


def _users(visit: "Visit") -> tuple[int, Any]:
    name, password = str(visit.body.get("username", "")), str(visit.body.get("password", ""))
    if not 4 <= len(name) <= 32 or not 8 <= len(password) <= 64:
        raise OnPremRefusal(1009, "Username or password does not meet the rules")
    if name in visit.instance.users:
        raise OnPremRefusal(1014, "Unable to create user. Already exist?", 400)
    visit.instance.users[name] = User(password, admin=False)
    return 201, {"users": [{"username": name}]}


def _named(visit: "Visit") -> str:
    name = visit.path[1]
    if name not in visit.instance.users:
        raise OnPremRefusal(1006, "unknown user")
    return name


def _user(visit: "Visit") -> tuple[int, Any]:
    name = _named(visit)
    role = "ROLE_ADMIN" if visit.instance.users[name].admin else "ROLE_USER"
    return 200, {"users": [{"username": name, "ROLES": role}]}


def _set_user(visit: "Visit") -> tuple[int, Any]:
    visit.instance.users[_named(visit)].password = str(visit.body.get("password", ""))
    return 200, {}


def _delete_user(visit: "Visit") -> tuple[int, Any]:
    name = _named(visit)
    if visit.instance.users[name].admin:
        raise OnPremRefusal(1009, "The admin cannot be deleted")
    del visit.instance.users[name]
    return 200, {}


# -- messages, contacts, media


def _messages(visit: "Visit") -> tuple[int, Any]:
    return 201, {"messages": [{"id": messaging.send_onprem(visit.world, visit.instance, visit.body)}]}


def _mark_read(visit: "Visit") -> tuple[int, Any]:
    return 200, None


def _contacts(visit: "Visit") -> tuple[int, Any]:
    """From v2.43 on every contact is valid, whether it exists or not."""
    deployments.needs_coreapp(visit.world, visit.instance)
    asked = visit.body.get("contacts")
    if not isinstance(asked, list):
        raise OnPremRefusal(1008, "Parameter 'contacts' is mandatory")
    rows = [
        {"input": str(one), "status": "valid", "wa_id": "".join(char for char in str(one) if char.isdigit())}
        for one in asked
    ]
    return 200, {"contacts": rows}


def _media(visit: "Visit") -> tuple[int, Any]:
    visit.instance.issued += 1
    media_id = hashlib.sha256(f"{visit.instance.id}:{visit.instance.issued}".encode()).hexdigest()[:32]
    visit.instance.media[media_id] = len(visit.request.body)
    return 201, {"media": [{"id": media_id}]}


def _get_media(visit: "Visit") -> tuple[int, Any]:
    if visit.path[1] not in visit.instance.media:
        raise OnPremRefusal(1006, "unknown media")
    return 200, b"\0" * visit.instance.media[visit.path[1]]


def _delete_media(visit: "Visit") -> tuple[int, Any]:
    if visit.instance.media.pop(visit.path[1], None) is None:
        raise OnPremRefusal(1006, "unknown media")
    return 200, {}


# (method, path under /v1) -> (short name, writes, admin only, handler). Admin nodes:
# https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings
NODES: Mapping[tuple[str, str], tuple[str, bool, bool, Handler]] = {
    ("GET", "health"): ("health", False, False, _health),
    ("GET", "support"): ("support", False, False, _support),
    ("GET", "settings/application"): ("settings", False, True, _application),
    ("PATCH", "settings/application"): ("set_settings", True, True, _set_application),
    ("DELETE", "settings/application"): ("reset_settings", True, True, _reset_application),
    ("GET", "settings/business/profile"): ("business_profile", False, False, _profile),
    ("POST", "settings/business/profile"): ("set_business_profile", True, False, _set_profile),
    ("GET", "settings/profile/about"): ("about", False, False, _about),
    ("PATCH", "settings/profile/about"): ("set_about", True, False, _set_about),
    ("GET", "settings/profile/photo"): ("photo", False, False, _photo),
    ("POST", "settings/profile/photo"): ("set_photo", True, False, _set_photo),
    ("DELETE", "settings/profile/photo"): ("delete_photo", True, False, _delete_photo),
    ("POST", "account"): ("account", True, True, _account),
    ("POST", "account/verify"): ("verify", True, True, _verify),
    ("POST", "account/shards"): ("shards", True, True, _shards),
    ("POST", "settings/account/two-step"): ("two_step", True, True, _two_step),
    ("DELETE", "settings/account/two-step"): ("two_step_off", True, True, _two_step_off),
    ("POST", "settings/backup"): ("backup", False, True, _backup),
    ("POST", "settings/restore"): ("restore", True, True, _restore),
    ("GET", "stats/app"): ("stats_app", False, False, _stats_app),
    ("GET", "stats/db"): ("stats_db", False, False, _stats_db),
    ("GET", "metrics"): ("metrics", False, False, _metrics),
    ("POST", "users"): ("create_user", True, True, _users),
    ("GET", "users/*"): ("user", False, False, _user),
    ("PUT", "users/*"): ("set_user", True, True, _set_user),
    ("DELETE", "users/*"): ("delete_user", True, True, _delete_user),
    ("POST", "messages"): ("messages", True, False, _messages),
    ("PUT", "messages/*"): ("mark_read", True, False, _mark_read),
    ("POST", "contacts"): ("contacts", False, False, _contacts),
    ("POST", "media"): ("media", True, False, _media),
    ("GET", "media/*"): ("get_media", False, False, _get_media),
    ("DELETE", "media/*"): ("delete_media", True, False, _delete_media),
}

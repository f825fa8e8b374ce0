"""The nodes of an On-Premises client, as a table; handlers for registration, backup and media here, others beside."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem import application_settings as onprem_app
from sandbox.onprem import deployments, files
from sandbox.onprem import health_calls as status
from sandbox.onprem import messages as onprem_messages
from sandbox.onprem import profile_settings as settings
from sandbox.onprem import stats as onprem_stats
from sandbox.onprem import users as onprem_users
from sandbox.onprem.backup import sealed
from sandbox.onprem.call import Handler, Node, Visit
from sandbox.world import events as callbacks

# -- registration, two-step, backup: rows of `onprem_account.py` and `onprem_backup.py`


def _account(visit: Visit) -> tuple[int, Any]:
    """201: registered already. 202: a code is on its way."""
    if deployments.call(visit.world, visit.instance, "account", visit.body) == 201:
        return 201, {}
    number = visit.world.number_of(visit.instance)
    return 202, {"account": [{"vname": number.name if number is not None else ""}]}


def _moves(trigger: str, *, body: bool = True) -> Handler:
    def handle(visit: Visit) -> tuple[int, Any]:
        return deployments.call(visit.world, visit.instance, trigger, visit.body), {} if body else None

    return handle


def _backup(visit: Visit) -> tuple[int, Any]:
    done = deployments.call(visit.world, visit.instance, "backup", visit.body)
    return done, {"settings": {"data": sealed(deployments.deed(visit.world, visit.instance, visit.body))}}


# -- garbage collection: https://developers.facebook.com/docs/whatsapp/on-premises/reference/services/message/gc


def _collect(visit: Visit) -> tuple[int, Any]:
    """Begins at once and ends with a webhook that has `services` alone in it; a node each in multiconnect."""
    what, client = visit.path[1], visit.instance
    deleted = "messages_deleted" if what == "message" else "media_deleted"
    ends: dict[str, Any] = {deleted: 0, "status": "complete"}
    nodes = [node for node, role in status.containers(client) if role == "coreapp"]
    several = client.topology == "multiconnect"
    for done in [ends | {"node": node} for node in nodes] if several else [ends]:
        client.issued += 1
        told = {"services": [{what: {"gc": done}}]}
        callbacks.on_premises(visit.world, client, told, visit.world.now(), f"gc:{client.issued}")
    begun: Any = {"status": "processing"}
    return 200, {"services": {what: {"gc": dict.fromkeys(nodes, begun) if several else begun}}}


# -- media, and marking as read


def _mark_read(visit: Visit) -> tuple[int, Any]:
    if visit.body.get("status") != "read":
        raise OnPremRefusal(1009, "Parameter 'status' must be read")
    return 200, None


def _media(visit: Visit) -> tuple[int, Any]:
    if not visit.request.body:
        raise OnPremRefusal(1008, "The file is missing")
    visit.instance.issued += 1
    media_id = hashlib.sha256(f"{visit.instance.id}:{visit.instance.issued}".encode()).hexdigest()[:32]
    visit.instance.media[media_id] = len(visit.request.body)
    return 201, {"media": [{"id": media_id}]}


def _get_media(visit: Visit) -> tuple[int, Any]:
    if visit.path[1] not in visit.instance.media:
        raise OnPremRefusal(1006, "unknown media")
    return 200, b"\0" * visit.instance.media[visit.path[1]]


def _delete_media(visit: Visit) -> tuple[int, Any]:
    if visit.instance.media.pop(visit.path[1], None) is None:
        raise OnPremRefusal(1006, "unknown media")
    return 200, {}


# (method, path under /v1) -> what it is called and who may call it. Admin nodes:
# https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings
# Which nodes the Webapp passes on to the Coreapp is told for a few only (1014); the rest is by what they need.
NODES: Mapping[tuple[str, str], Node] = {
    ("POST", "users/login"): Node("login", onprem_users.login),
    ("POST", "users/logout"): Node("logout", onprem_users.logout),
    ("GET", "health"): Node("health", status.health),
    ("GET", "support"): Node("support", status.support, coreapp=True),
    ("GET", "settings/application"): Node("settings", onprem_app.application, admin=True),
    ("PATCH", "settings/application"): Node("set_settings", onprem_app.set_application, writes=True, admin=True),
    ("DELETE", "settings/application"): Node("reset_settings", onprem_app.reset_application, writes=True, admin=True),
    ("GET", "settings/application/media/providers"): Node("providers", files.providers, admin=True),
    ("POST", "settings/application/media/providers"): Node(
        "set_providers", files.set_providers, writes=True, admin=True
    ),
    ("DELETE", "settings/application/media/providers/*"): Node(
        "delete_provider", files.delete_provider, writes=True, admin=True
    ),
    ("POST", "certificates/external"): Node("set_certificate", files.set_certificate, writes=True, admin=True),
    ("GET", "certificates/external/ca"): Node("certificate", files.certificate, admin=True),
    ("POST", "certificates/webhooks/ca"): Node("set_certificate", files.set_certificate, writes=True, admin=True),
    ("GET", "certificates/webhooks/ca"): Node("certificate", files.certificate, admin=True),
    ("DELETE", "certificates/webhooks/ca"): Node(
        "delete_certificate", files.delete_certificate, writes=True, admin=True
    ),
    ("GET", "settings/business/profile"): Node("business_profile", settings.profile, coreapp=True),
    ("POST", "settings/business/profile"): Node(
        "set_business_profile", settings.set_profile, writes=True, coreapp=True
    ),
    ("GET", "settings/profile/about"): Node("about", settings.about, coreapp=True),
    ("PATCH", "settings/profile/about"): Node("set_about", settings.set_about, writes=True, coreapp=True),
    ("GET", "settings/profile/photo"): Node("photo", settings.photo, coreapp=True),
    ("POST", "settings/profile/photo"): Node("set_photo", settings.set_photo, writes=True, coreapp=True),
    ("DELETE", "settings/profile/photo"): Node("delete_photo", settings.delete_photo, writes=True, coreapp=True),
    ("POST", "account"): Node("account", _account, writes=True, admin=True, coreapp=True),
    ("POST", "account/verify"): Node("verify", _moves("verify"), writes=True, admin=True, coreapp=True),
    ("POST", "account/shards"): Node("shards", _moves("shards"), writes=True, admin=True, coreapp=True),
    ("POST", "settings/account/two-step"): Node("two_step", _moves("two_step"), writes=True, admin=True, coreapp=True),
    ("DELETE", "settings/account/two-step"): Node(
        "two_step_off", _moves("two_step_off", body=False), writes=True, admin=True, coreapp=True
    ),
    ("POST", "settings/backup"): Node("backup", _backup, admin=True, coreapp=True),
    ("POST", "settings/restore"): Node("restore", _moves("restore", body=False), writes=True, admin=True, coreapp=True),
    ("GET", "stats/app"): Node("stats_app", onprem_stats.app),
    ("GET", "stats/db"): Node("stats_db", onprem_stats.db),
    ("GET", "stats/app/internal"): Node("stats_app", onprem_stats.app),
    ("GET", "stats/db/internal"): Node("stats_db", onprem_stats.db),
    ("GET", "metrics"): Node("metrics", onprem_stats.metrics),
    ("POST", "users"): Node("create_user", onprem_users.create, writes=True, admin=True),
    ("GET", "users/*"): Node("user", onprem_users.show),
    ("PUT", "users/*"): Node("set_user", onprem_users.change, writes=True),
    ("DELETE", "users/*"): Node("delete_user", onprem_users.delete, writes=True, admin=True),
    ("PUT", "services/message/gc"): Node("collect", _collect, writes=True, coreapp=True),
    ("PUT", "services/media/gc"): Node("collect", _collect, writes=True, coreapp=True),
    ("POST", "messages"): Node("messages", onprem_messages.send, writes=True, coreapp=True),
    ("PUT", "messages/*"): Node("mark_read", _mark_read, writes=True, coreapp=True),
    ("POST", "contacts"): Node("contacts", onprem_messages.contacts, coreapp=True),
    ("POST", "media"): Node("media", _media, writes=True, coreapp=True),
    ("GET", "media/*"): Node("get_media", _get_media, coreapp=True),
    ("DELETE", "media/*"): Node("delete_media", _delete_media, writes=True, coreapp=True),
}

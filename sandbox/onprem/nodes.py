"""The routes of an On-Premises client, as a table, and the handlers for registration, backup and media."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem import (
    application_settings,
    deployments,
    files,
    health_calls,
    messages,
    profile_settings,
    stats,
    users,
)
from sandbox.onprem.backup import sealed_backup
from sandbox.onprem.call import Handler, Node, OnPremCall
from sandbox.world.webhook_addresses import put_for_client

# -- registration, two-step, backup: rows of `account.py` and `backup.py`


def _account(call: OnPremCall) -> tuple[int, Any]:
    """201: registered already. 202: a code is on its way."""
    if deployments.run_call(call.world, call.instance, "account", call.body) == 201:
        return 201, {}
    number = call.world.number_of(call.instance)
    return 202, {"account": [{"vname": number.name if number is not None else ""}]}


def _transition(trigger: str, *, body: bool = True) -> Handler:
    def handle(call: OnPremCall) -> tuple[int, Any]:
        return deployments.run_call(call.world, call.instance, trigger, call.body), {} if body else None

    return handle


def _backup(call: OnPremCall) -> tuple[int, Any]:
    status = deployments.run_call(call.world, call.instance, "backup", call.body)
    context = deployments.transition_context(call.world, call.instance, call.body)
    return status, {"settings": {"data": sealed_backup(context)}}


# -- garbage collection: https://developers.facebook.com/docs/whatsapp/on-premises/reference/services/message/gc


def _collect_garbage(call: OnPremCall) -> tuple[int, Any]:
    """Begins at once and ends with a webhook that has only `services`; in multiconnect one for each node."""
    kind, client = call.path[1], call.instance
    deleted = "messages_deleted" if kind == "message" else "media_deleted"
    result: dict[str, Any] = {deleted: 0, "status": "complete"}
    nodes = [node for node, role in health_calls.containers(client) if role == "coreapp"]
    several = client.topology == "multiconnect"
    for node_result in [result | {"node": node} for node in nodes] if several else [result]:
        client.issued += 1
        change = {"services": [{kind: {"gc": node_result}}]}
        put_for_client(call.world, client, change, call.world.now(), f"gc:{client.issued}")
    processing: Any = {"status": "processing"}
    return 200, {"services": {kind: {"gc": dict.fromkeys(nodes, processing) if several else processing}}}


# -- media, and read receipts


def _mark_read(call: OnPremCall) -> tuple[int, Any]:
    if call.body.get("status") != "read":
        raise OnPremRefusal(1009, "Parameter 'status' must be read")
    return 200, None


def _media(call: OnPremCall) -> tuple[int, Any]:
    if not call.request.body:
        raise OnPremRefusal(1008, "The file is missing")
    call.instance.issued += 1
    media_id = hashlib.sha256(f"{call.instance.id}:{call.instance.issued}".encode()).hexdigest()[:32]
    call.instance.media[media_id] = len(call.request.body)
    return 201, {"media": [{"id": media_id}]}


def _get_media(call: OnPremCall) -> tuple[int, Any]:
    if call.path[1] not in call.instance.media:
        raise OnPremRefusal(1006, "unknown media")
    return 200, b"\0" * call.instance.media[call.path[1]]


def _delete_media(call: OnPremCall) -> tuple[int, Any]:
    if call.instance.media.pop(call.path[1], None) is None:
        raise OnPremRefusal(1006, "unknown media")
    return 200, {}


# (method, path under /v1) -> the name of the call and its access rules. Admin nodes:
# https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings
# The pages say only for a few nodes that the Webapp passes them on to the Coreapp (1014); the others follow from what
# they do.
NODES: Mapping[tuple[str, str], Node] = {
    ("POST", "users/login"): Node("login", users.login),
    ("POST", "users/logout"): Node("logout", users.logout),
    ("GET", "health"): Node("health", health_calls.health),
    ("GET", "support"): Node("support", health_calls.support, coreapp=True),
    ("GET", "settings/application"): Node("settings", application_settings.application, admin=True),
    ("PATCH", "settings/application"): Node(
        "set_settings", application_settings.set_application, writes=True, admin=True
    ),
    ("DELETE", "settings/application"): Node(
        "reset_settings", application_settings.reset_application, writes=True, admin=True
    ),
    ("GET", "settings/application/media/providers"): Node("providers", files.show_providers, admin=True),
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
    ("GET", "settings/business/profile"): Node("business_profile", profile_settings.profile, coreapp=True),
    ("POST", "settings/business/profile"): Node(
        "set_business_profile", profile_settings.set_profile, writes=True, coreapp=True
    ),
    ("GET", "settings/profile/about"): Node("about", profile_settings.about, coreapp=True),
    ("PATCH", "settings/profile/about"): Node("set_about", profile_settings.set_about, writes=True, coreapp=True),
    ("GET", "settings/profile/photo"): Node("photo", profile_settings.photo, coreapp=True),
    ("POST", "settings/profile/photo"): Node("set_photo", profile_settings.set_photo, writes=True, coreapp=True),
    ("DELETE", "settings/profile/photo"): Node(
        "delete_photo", profile_settings.delete_photo, writes=True, coreapp=True
    ),
    ("POST", "account"): Node("account", _account, writes=True, admin=True, coreapp=True),
    ("POST", "account/verify"): Node("verify", _transition("verify"), writes=True, admin=True, coreapp=True),
    ("POST", "account/shards"): Node("shards", _transition("shards"), writes=True, admin=True, coreapp=True),
    ("POST", "settings/account/two-step"): Node(
        "two_step", _transition("two_step"), writes=True, admin=True, coreapp=True
    ),
    ("DELETE", "settings/account/two-step"): Node(
        "two_step_off", _transition("two_step_off", body=False), writes=True, admin=True, coreapp=True
    ),
    ("POST", "settings/backup"): Node("backup", _backup, admin=True, coreapp=True),
    ("POST", "settings/restore"): Node(
        "restore", _transition("restore", body=False), writes=True, admin=True, coreapp=True
    ),
    ("GET", "stats/app"): Node("stats_app", stats.app),
    ("GET", "stats/db"): Node("stats_db", stats.db),
    ("GET", "stats/app/internal"): Node("stats_app", stats.app),
    ("GET", "stats/db/internal"): Node("stats_db", stats.db),
    ("GET", "metrics"): Node("metrics", stats.metrics),
    ("POST", "users"): Node("create_user", users.create, writes=True, admin=True),
    ("GET", "users/*"): Node("user", users.show),
    ("PUT", "users/*"): Node("set_user", users.change, writes=True),
    ("DELETE", "users/*"): Node("delete_user", users.delete, writes=True, admin=True),
    ("PUT", "services/message/gc"): Node("collect", _collect_garbage, writes=True, coreapp=True),
    ("PUT", "services/media/gc"): Node("collect", _collect_garbage, writes=True, coreapp=True),
    ("POST", "messages"): Node("messages", messages.send, writes=True, coreapp=True),
    ("PUT", "messages/*"): Node("mark_read", _mark_read, writes=True, coreapp=True),
    ("POST", "contacts"): Node("contacts", messages.contacts, coreapp=True),
    ("POST", "media"): Node("media", _media, writes=True, coreapp=True),
    ("GET", "media/*"): Node("get_media", _get_media, coreapp=True),
    ("DELETE", "media/*"): Node("delete_media", _delete_media, writes=True, coreapp=True),
}

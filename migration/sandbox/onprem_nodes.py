"""The nodes of an On-Premises client, as a table: registration, backup, messages and media here, others beside.

Every handler gives an HTTP status and a body without its `meta`, or raises OnPremRefusal.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from migration.sandbox import callbacks, deployments, messaging
from migration.sandbox import onprem_settings as settings
from migration.sandbox import onprem_status as status
from migration.sandbox.errors import OnPremRefusal
from migration.sandbox.onprem_visit import Visit

Handler = Callable[[Visit], tuple[int, Any]]

# -- registration, two-step, backup


def _account(visit: Visit) -> tuple[int, Any]:
    """201: registered already. 202: a code is on its way."""
    if deployments.register_account(visit.world, visit.instance, visit.body):
        return 201, {}
    number = visit.world.number_of(visit.instance)
    return 202, {"account": [{"vname": number.name if number is not None else ""}]}


def _verify(visit: Visit) -> tuple[int, Any]:
    deployments.verify_account(visit.world, visit.instance, visit.body.get("code"))
    return 201, {}


def _shards(visit: Visit) -> tuple[int, Any]:
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


def _two_step(visit: Visit) -> tuple[int, Any]:
    if "pin" not in visit.body:
        raise OnPremRefusal(1008, "Parameter 'pin' is mandatory")
    deployments.set_two_step(visit.world, visit.instance, visit.body["pin"])
    return 200, {}


def _two_step_off(visit: Visit) -> tuple[int, Any]:
    deployments.set_two_step(visit.world, visit.instance, None)
    return 200, None


def _backup(visit: Visit) -> tuple[int, Any]:
    data = deployments.back_up(visit.world, visit.instance, visit.body.get("password"))
    return 200, {"settings": {"data": data}}


def _restore(visit: Visit) -> tuple[int, Any]:
    deployments.restore(visit.world, visit.instance, visit.body.get("data"), visit.body.get("password"))
    return 200, None


# -- garbage collection: https://developers.facebook.com/docs/whatsapp/on-premises/reference/services/message/gc


def _collect(visit: Visit) -> tuple[int, Any]:
    """Begins at once and ends with a webhook that has `services` alone in it."""
    deployments.needs_coreapp(visit.world, visit.instance)
    what = visit.path[1]
    if what not in ("message", "media"):
        raise OnPremRefusal(1006, "unknown service")
    done = {what: {"gc": {"messages_deleted" if what == "message" else "media_deleted": 0, "status": "complete"}}}
    visit.instance.issued += 1
    about = f"gc:{visit.instance.issued}"
    callbacks.on_premises(visit.world, visit.instance, {"services": [done]}, visit.world.now(), about)
    return 200, {"services": {what: {"gc": {"status": "processing"}}}}


# -- messages, contacts, media


def _messages(visit: Visit) -> tuple[int, Any]:
    return 201, {"messages": [{"id": messaging.send_onprem(visit.world, visit.instance, visit.body)}]}


def _mark_read(visit: Visit) -> tuple[int, Any]:
    return 200, None


def _contacts(visit: Visit) -> tuple[int, Any]:
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


def _media(visit: Visit) -> tuple[int, Any]:
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


# (method, path under /v1) -> (short name, writes, admin only, handler). Admin nodes:
# https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings
NODES: Mapping[tuple[str, str], tuple[str, bool, bool, Handler]] = {
    ("GET", "health"): ("health", False, False, status.health),
    ("GET", "support"): ("support", False, False, status.support),
    ("GET", "settings/application"): ("settings", False, True, settings.application),
    ("PATCH", "settings/application"): ("set_settings", True, True, settings.set_application),
    ("DELETE", "settings/application"): ("reset_settings", True, True, settings.reset_application),
    ("GET", "settings/business/profile"): ("business_profile", False, False, settings.profile),
    ("POST", "settings/business/profile"): ("set_business_profile", True, False, settings.set_profile),
    ("GET", "settings/profile/about"): ("about", False, False, settings.about),
    ("PATCH", "settings/profile/about"): ("set_about", True, False, settings.set_about),
    ("GET", "settings/profile/photo"): ("photo", False, False, settings.photo),
    ("POST", "settings/profile/photo"): ("set_photo", True, False, settings.set_photo),
    ("DELETE", "settings/profile/photo"): ("delete_photo", True, False, settings.delete_photo),
    ("POST", "account"): ("account", True, True, _account),
    ("POST", "account/verify"): ("verify", True, True, _verify),
    ("POST", "account/shards"): ("shards", True, True, _shards),
    ("POST", "settings/account/two-step"): ("two_step", True, True, _two_step),
    ("DELETE", "settings/account/two-step"): ("two_step_off", True, True, _two_step_off),
    ("POST", "settings/backup"): ("backup", False, True, _backup),
    ("POST", "settings/restore"): ("restore", True, True, _restore),
    ("GET", "stats/app"): ("stats_app", False, False, status.stats_app),
    ("GET", "stats/db"): ("stats_db", False, False, status.stats_db),
    ("GET", "metrics"): ("metrics", False, False, status.metrics),
    ("POST", "users"): ("create_user", True, True, settings.users),
    ("GET", "users/*"): ("user", False, False, settings.user),
    ("PUT", "users/*"): ("set_user", True, True, settings.set_user),
    ("DELETE", "users/*"): ("delete_user", True, True, settings.delete_user),
    ("PUT", "services/message/gc"): ("collect", True, True, _collect),
    ("PUT", "services/media/gc"): ("collect", True, True, _collect),
    ("POST", "messages"): ("messages", True, False, _messages),
    ("PUT", "messages/*"): ("mark_read", True, False, _mark_read),
    ("POST", "contacts"): ("contacts", False, False, _contacts),
    ("POST", "media"): ("media", True, False, _media),
    ("GET", "media/*"): ("get_media", False, False, _get_media),
    ("DELETE", "media/*"): ("delete_media", True, False, _delete_media),
}

"""What is set at an On-Premises client: application settings, business profile, users.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/app
"""

from collections.abc import Mapping
from typing import Any

from migration.sandbox.errors import OnPremRefusal
from migration.sandbox.instance import User, merged
from migration.sandbox.onprem_visit import Visit

LONGEST: Mapping[str, int] = {"description": 256, "address": 256, "email": 128, "vertical": 128}
LONGEST_ABOUT = 139


# -- settings and profile


def application(visit: Visit) -> tuple[int, Any]:
    wa_id = {"wa_id": visit.instance.e164.lstrip("+")} if visit.instance.registered else {}
    return 200, {"settings": {"application": visit.instance.application() | wa_id}}


def set_application(visit: Visit) -> tuple[int, Any]:
    """What is absent stays; success has no body."""
    visit.instance.settings = merged(visit.instance.settings, visit.body)
    return 200, None


def reset_application(visit: Visit) -> tuple[int, Any]:
    visit.instance.settings = {}
    return 200, None


def profile(visit: Visit) -> tuple[int, Any]:
    return 200, {"settings": {"business": {"profile": dict(visit.instance.profile)}}}


def set_profile(visit: Visit) -> tuple[int, Any]:
    for name, longest in LONGEST.items():
        if len(str(visit.body.get(name, ""))) > longest:
            raise OnPremRefusal(1009, f"Parameter '{name}' is longer than {longest}")
    known = (*LONGEST, "websites")
    visit.instance.profile |= {name: visit.body[name] for name in known if name in visit.body}
    return 200, {}


def about(visit: Visit) -> tuple[int, Any]:
    return 200, {"settings": {"profile": {"about": {"text": visit.instance.about}}}}


def set_about(visit: Visit) -> tuple[int, Any]:
    text = str(visit.body.get("text", ""))
    if not 0 < len(text) <= LONGEST_ABOUT:
        raise OnPremRefusal(1009, f"Parameter 'text' must have 1 to {LONGEST_ABOUT} characters")
    visit.instance.about = text
    return 200, {}


def photo(visit: Visit) -> tuple[int, Any]:
    if visit.instance.photo is None:
        raise OnPremRefusal(1006, "No profile photo")
    if visit.request.queried().get("format") == "link":
        return 200, {"settings": {"profile": {"photo": {"link": f"https://pps.example/{visit.instance.id}.jpg"}}}}
    return 200, visit.instance.photo


def set_photo(visit: Visit) -> tuple[int, Any]:
    if not visit.request.body:
        raise OnPremRefusal(1008, "The picture is missing")
    visit.instance.photo = visit.request.body
    return 201, {}


def delete_photo(visit: Visit) -> tuple[int, Any]:
    visit.instance.photo = None
    return 200, {}


# -- users


def users(visit: Visit) -> tuple[int, Any]:
    name, password = str(visit.body.get("username", "")), str(visit.body.get("password", ""))
    if not 4 <= len(name) <= 32 or not 8 <= len(password) <= 64:
        raise OnPremRefusal(1009, "Username or password does not meet the rules")
    if name in visit.instance.users:
        raise OnPremRefusal(1014, "Unable to create user. Already exist?", 400)
    visit.instance.users[name] = User(password, admin=False)
    return 201, {"users": [{"username": name}]}


def _named(visit: Visit) -> str:
    name = visit.path[1]
    if name not in visit.instance.users:
        raise OnPremRefusal(1006, "unknown user")
    return name


def user(visit: Visit) -> tuple[int, Any]:
    name = _named(visit)
    role = "ROLE_ADMIN" if visit.instance.users[name].admin else "ROLE_USER"
    return 200, {"users": [{"username": name, "ROLES": role}]}


def set_user(visit: Visit) -> tuple[int, Any]:
    visit.instance.users[_named(visit)].password = str(visit.body.get("password", ""))
    return 200, {}


def delete_user(visit: Visit) -> tuple[int, Any]:
    name = _named(visit)
    if visit.instance.users[name].admin:
        raise OnPremRefusal(1009, "The admin cannot be deleted")
    del visit.instance.users[name]
    return 200, {}

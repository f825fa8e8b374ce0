"""Settings of an On-Premises client beside its application settings: business profile, about, photo.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem.call import OnPremCall

LONGEST: Mapping[str, int] = {"description": 256, "address": 256, "email": 128, "vertical": 128}
LONGEST_ABOUT = 139


# -- profile


def profile(call: OnPremCall) -> tuple[int, Any]:
    return 200, {"settings": {"business": {"profile": dict(call.instance.profile)}}}


def set_profile(call: OnPremCall) -> tuple[int, Any]:
    for name, longest in LONGEST.items():
        value = call.body.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise OnPremRefusal(1009, f"Parameter '{name}' is not a text of at most {longest}")
    sites = call.body.get("websites", [])
    if not isinstance(sites, list) or not all(isinstance(site, str) for site in sites):
        raise OnPremRefusal(1009, "Parameter 'websites' is not a list of addresses")
    known = (*LONGEST, "websites")
    call.instance.profile |= {name: call.body[name] for name in known if name in call.body}
    return 200, {}


def about(call: OnPremCall) -> tuple[int, Any]:
    return 200, {"settings": {"profile": {"about": {"text": call.instance.about}}}}


def set_about(call: OnPremCall) -> tuple[int, Any]:
    text = call.body.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_ABOUT:
        raise OnPremRefusal(1009, f"Parameter 'text' must have 1 to {LONGEST_ABOUT} characters")
    call.instance.about = text
    return 200, {}


def photo(call: OnPremCall) -> tuple[int, Any]:
    if call.instance.photo is None:
        raise OnPremRefusal(1006, "No profile photo")
    if call.request.query_params().get("format") == "link":
        return 200, {"settings": {"profile": {"photo": {"link": f"https://pps.example/{call.instance.id}.jpg"}}}}
    return 200, call.instance.photo


def set_photo(call: OnPremCall) -> tuple[int, Any]:
    if not call.request.body:
        raise OnPremRefusal(1008, "The picture is missing")
    call.instance.photo = call.request.body
    return 201, {}


def delete_photo(call: OnPremCall) -> tuple[int, Any]:
    call.instance.photo = None
    return 200, {}

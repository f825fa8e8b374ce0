"""What is set at an On-Premises client beside its application settings: business profile, about, photo.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem.call import Visit

LONGEST: Mapping[str, int] = {"description": 256, "address": 256, "email": 128, "vertical": 128}
LONGEST_ABOUT = 139


# -- profile


def profile(visit: Visit) -> tuple[int, Any]:
    return 200, {"settings": {"business": {"profile": dict(visit.instance.profile)}}}


def set_profile(visit: Visit) -> tuple[int, Any]:
    for name, longest in LONGEST.items():
        value = visit.body.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise OnPremRefusal(1009, f"Parameter '{name}' is not a text of at most {longest}")
    sites = visit.body.get("websites", [])
    if not isinstance(sites, list) or not all(isinstance(site, str) for site in sites):
        raise OnPremRefusal(1009, "Parameter 'websites' is not a list of addresses")
    known = (*LONGEST, "websites")
    visit.instance.profile |= {name: visit.body[name] for name in known if name in visit.body}
    return 200, {}


def about(visit: Visit) -> tuple[int, Any]:
    return 200, {"settings": {"profile": {"about": {"text": visit.instance.about}}}}


def set_about(visit: Visit) -> tuple[int, Any]:
    text = visit.body.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_ABOUT:
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

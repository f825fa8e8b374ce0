"""The business profile of one phone number on Graph.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-profiles
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal
from sandbox.graph.access import Entry, GraphCall, success
from sandbox.graph.field_tree import Shape, parse, plain_fields, select
from sandbox.graph.fields import PROFILE_FIELDS, shown_profile
from sandbox.wire import Response, json_response
from sandbox.world.accounts import SCOPES

MESSAGING = SCOPES[1]
PROFILE: Shape = dict.fromkeys((*PROFILE_FIELDS, "id", "messaging_product"))
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-profiles
LONGEST: Mapping[str, int] = {"about": 139, "address": 256, "description": 512, "email": 128}
MOST_WEBSITES, LONGEST_SITE = 2, 256
# fmt: off
VERTICALS = frozenset({
    "ALCOHOL", "APPAREL", "AUTO", "BEAUTY", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GOVT", "GROCERY",
    "HEALTH", "HOTEL", "NONPROFIT", "ONLINE_GAMBLING", "OTC_DRUGS", "OTHER", "PHYSICAL_GAMBLING",
    "PROF_SERVICES", "RESTAURANT", "RETAIL", "TRAVEL", "UNDEFINED"
})
# fmt: on


def _profile(call: GraphCall) -> Response:
    number = call.number(MESSAGING)
    tree = parse(call.params["fields"]) if call.params.get("fields") else plain_fields("about")
    fields = select(shown_profile(number.profile), tree, PROFILE)
    return json_response({"data": [fields | {"messaging_product": "whatsapp"}]})


def _set_profile(call: GraphCall) -> Response:
    number, params = call.number(MESSAGING), call.params
    if params.get("messaging_product") != "whatsapp":
        raise Refusal(100, "The parameter messaging_product is required.")
    _check(params)
    handle = params.get("profile_picture_handle")
    if handle and str(handle) not in call.world.uploads.handles:
        raise Refusal(100, "Param profile_picture_handle is not the handle of an upload.")
    for name in PROFILE_FIELDS:
        if name in params and name != "profile_picture_url":
            number.profile[name] = params[name]
    if handle:
        number.picture = call.world.uploads.handles[str(handle)].sha256
        number.profile["profile_picture_url"] = f"https://pps.example/{number.phone_number_id}.jpg"
    return success(call.world)


def _check(params: Mapping[str, Any]) -> None:
    """Raises Refusal for a value that does not fit."""
    for name, longest in LONGEST.items():
        text = params.get(name, "")
        if not isinstance(text, str) or len(text) > longest:
            raise Refusal(100, f"Param {name} must be a string of at most {longest} characters.")
    if "about" in params and not params["about"]:
        raise Refusal(100, "Param about must not be empty.")
    websites = params.get("websites") or []
    if not isinstance(websites, list) or len(websites) > MOST_WEBSITES:
        raise Refusal(100, f"Param websites must be a list of at most {MOST_WEBSITES}.")
    if any(not str(site).startswith(("http://", "https://")) or len(str(site)) > LONGEST_SITE for site in websites):
        raise Refusal(100, f"Param websites must be URLs with a scheme, of at most {LONGEST_SITE} characters.")
    if params.get("vertical") and str(params["vertical"]) not in VERTICALS:
        raise Refusal(100, "Param vertical is not one of the known values.")


PROFILE_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", "whatsapp_business_profile"): ("get.profile", False, _profile),
    ("POST", "whatsapp_business_profile"): ("profile", True, _set_profile),
}

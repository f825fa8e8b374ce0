"""An On-Premises business profile as Cloud API takes it, and what of it cannot be carried over, with the reason.

Limits of Cloud API:
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/business-profiles
"""

from collections.abc import Mapping
from typing import Any

from migration.clients.graph_models import Profile
from migration.clients.industries import cloud_industry

LONGEST: Mapping[str, int] = {"about": 139, "address": 256, "description": 512, "email": 128}  # characters
MAX_WEBSITES, LONGEST_WEBSITE = 2, 256


def carried_profile(business: Any, about: Any) -> Profile:
    """`business` and `about` are the answers of the two profile nodes of On-Premises.

    https://developers.facebook.com/docs/whatsapp/api/settings/business-profile
    """
    fields = _at(business, "settings", "business", "profile")
    source = dict(fields) if isinstance(fields, Mapping) else {}
    source["about"] = _at(about, "settings", "profile", "about", "text")
    carried: dict[str, Any] = {}
    lost: dict[str, str] = {}
    for name, longest in LONGEST.items():
        _carry_text(name, source.get(name), longest, carried, lost)
    _carry_industry(source.get("vertical"), carried, lost)
    _carry_websites(source.get("websites"), carried, lost)
    return Profile(**carried, not_carried=lost)


def _at(node: Any, *path: str) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _carry_text(name: str, value: Any, longest: int, carried: dict[str, Any], lost: dict[str, str]) -> None:
    if value is None or value == "":
        return
    if not isinstance(value, str):
        lost[name] = "is not text"
    elif len(value) > longest:
        lost[name] = f"has {len(value)} characters, Cloud API takes {longest}"
    else:
        carried[name] = value


def _carry_industry(value: Any, carried: dict[str, Any], lost: dict[str, str]) -> None:
    if value is None or value == "":
        return
    word = cloud_industry(value) if isinstance(value, str) else None
    if word is None:
        lost["vertical"] = "Cloud API has no word for this industry"
    else:
        carried["vertical"] = word


def _carry_websites(value: Any, carried: dict[str, Any], lost: dict[str, str]) -> None:
    if value is None or value == "":
        return
    rows = value if isinstance(value, list | tuple) else [value]
    fit = [row for row in rows if isinstance(row, str) and row.startswith(("http://", "https://"))]
    fit = [row for row in fit if len(row) <= LONGEST_WEBSITE][:MAX_WEBSITES]
    if len(fit) < sum(1 for row in rows if row):
        lost["websites"] = f"Cloud API takes {MAX_WEBSITES} addresses with http:// or https:// in front"
    if fit:
        carried["websites"] = tuple(fit)

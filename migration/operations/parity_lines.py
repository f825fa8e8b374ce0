"""What was true of a number before its move against what is true after it: one line each. Pure functions.

What Meta's guide says is kept: display name, quality, templates, official account, messaging limit.
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from migration.clients.graph_details import NumberDetails
from migration.clients.graph_models import Profile, StorageSettings
from migration.operations.parity_settings import settings_lines
from migration.operations.parity_wording import Comparison, Line


@dataclass(frozen=True, slots=True)
class After:
    """What was read after the move. What could not be read is None, and `unread` says why."""

    profile: Profile | None
    details: NumberDetails | None
    storage: StorageSettings | None
    templates: int | None
    subscribed: bool | None  # whether our app gets the webhooks of the WABA
    unread: Mapping[str, str] = field(default_factory=dict)


TEXTS = ("about", "address", "description", "email", "vertical", "websites")
TIERS = ("TIER_50", "TIER_250", "TIER_1K", "TIER_2K", "TIER_10K", "TIER_100K", "TIER_UNLIMITED")
QUALITY = ("RED", "YELLOW", "GREEN")
SILENT = (None, "", "UNKNOWN", "NA", "NONE")  # Graph says nothing


def parity_lines(
    snapshot: Mapping[str, Any], restored: Mapping[str, Any], after: After, region: str | None
) -> tuple[Line, ...]:
    """`snapshot`, `restored`: what these two steps found. `region`: where messages have to be stored."""
    before: Mapping[str, Any] = snapshot.get("before") or {}
    unread = {**(before.get("unread") or {}), **{f"{name} afterwards": why for name, why in after.unread.items()}}
    return (
        *_profile(snapshot, restored, after),
        *_standing(before.get("graph") or {"verified_name": snapshot.get("verified_name")}, after.details),
        *_templates(before.get("templates"), after.templates),
        *_route(before, after),
        *_storage(region, after.storage),
        *(Line(*line) for line in settings_lines(before.get("settings") or {}, Comparison.EXPECTED)),
        *(Line(what, Comparison.PERSON, why=f"could not be read: {why}") for what, why in unread.items()),
    )


# -- profile


def _profile(snapshot: Mapping[str, Any], restored: Mapping[str, Any], after: After) -> Iterator[Line]:
    if after.profile is None:
        return  # a line of `unread`
    if "profile" not in snapshot:
        why = "the profile on On-Premises was never read: compare it by hand"
        yield Line("profile", Comparison.PERSON, None, after.profile.as_facts() or None, why)
        return
    now, changed = after.profile.as_facts(), frozenset(restored.get("changed") or ())
    lost = {**(snapshot.get("profile_not_carried") or {}), **(restored.get("not_carried") or {})}
    for name in TEXTS:
        before, shown = snapshot["profile"].get(name), now.get(name)
        shown = None if shown == "UNDEFINED" else shown
        yield _field(name, before, shown, changed, lost.get(name))
    had, has = snapshot.get("picture"), bool(after.profile.profile_picture_url)
    before = f"{had['bytes']} bytes, {had['kind']}" if had else None
    if lost.get("picture") and (has or not had):
        yield Line(
            "picture", Comparison.PERSON, before, "there" if has else None, f"not carried over: {lost['picture']}"
        )
    else:
        yield _field("picture", before, before if has and had else "there" if has else None, changed, None)


def _field(name: str, before: Any, after: Any, changed: frozenset[str], lost: str | None) -> Line:
    if lost is not None:
        return Line(name, Comparison.PERSON, before, after, f"not carried over: {lost}")
    if before == after:
        return Line(name, Comparison.RESTORED if name in changed else Comparison.SAME, before, after)
    if before is None:
        return Line(name, Comparison.EXPECTED, None, after, "On-Premises had none, Cloud has one")
    return Line(
        name, Comparison.PERSON, before, after, "Cloud shows another" if after is not None else "Cloud has none"
    )


# -- what Graph shows


def _standing(before: Mapping[str, Any], details: NumberDetails | None) -> Iterator[Line]:
    if details is None:
        return
    yield _kept("display name", before.get("verified_name"), details.verified_name)
    yield _kept("display name's review", before.get("name_status"), details.name_status)
    yield _kept("account mode", before.get("account_mode"), details.account_mode)
    yield _ranked("quality", before.get("quality_rating"), details.quality_rating, QUALITY)
    limit = "whatsapp_business_manager_messaging_limit"
    yield _ranked("messaging limit", before.get(limit), details.whatsapp_business_manager_messaging_limit, TIERS)
    yield _official(before.get("is_official_business_account"), details.is_official_business_account)
    yield _platform(before.get("platform_type"), details)
    yield _throughput(before.get("throughput"), details.throughput)
    yield _pin(before.get("is_pin_enabled"), details.is_pin_enabled)


def _kept(what: str, before: Any, after: Any) -> Line:
    if before == after:
        return Line(what, Comparison.SAME, before, after)
    if before is None and after not in SILENT:
        return Line(what, Comparison.EXPECTED, before, after, "it was not read before")
    return Line(what, Comparison.PERSON, before, after, "a move does not change it")


def _ranked(what: str, before: Any, after: Any, ranks: tuple[str, ...]) -> Line:
    """Kept by a move; higher is good news, lower or unknown is a person's."""
    if before == after or (before in SILENT and after in SILENT):
        return Line(what, Comparison.SAME, before, after)
    if before in SILENT and after == ranks[-1]:
        return Line(what, Comparison.EXPECTED, before, after)
    if before in ranks and after in ranks and ranks.index(after) > ranks.index(before):
        return Line(what, Comparison.EXPECTED, before, after, "it has risen")
    if before is None and after in ranks:
        return Line(what, Comparison.EXPECTED, before, after, "it was not read before")
    return Line(what, Comparison.PERSON, before, after, "a move does not lower it")


def _official(before: bool | None, after: bool | None) -> Line:
    if before and not after:
        why = "a register without a backup loses it: ask Meta for the official account anew"
        return Line("official account", Comparison.PERSON, before, after, why)
    same = bool(before) == bool(after)
    return Line("official account", Comparison.SAME if same else Comparison.EXPECTED, before, after)


def _platform(before: str | None, details: NumberDetails) -> Line:
    """Registered on Cloud, and connected."""
    after = f"{details.platform_type}, {details.status}"
    moved = details.platform_type == "CLOUD_API" and details.status == "CONNECTED"
    why = "" if moved else "the number is not connected on Cloud"
    return Line("platform", Comparison.EXPECTED if moved else Comparison.PERSON, before, after, why)


def _throughput(before: str | None, after: str | None) -> Line:
    if before == after:
        return Line("throughput", Comparison.SAME, before, after)
    fell = before == "HIGH" or after in (*SILENT, "NOT_APPLICABLE")
    why = "it is lower than before" if before == "HIGH" else ""
    return Line("throughput", Comparison.PERSON if fell else Comparison.EXPECTED, before, after, why)


def _pin(before: bool | None, after: bool | None) -> Line:
    if after is False:
        return Line("two-step PIN", Comparison.PERSON, before, after, "a number on Cloud has one: `cutover rotate-pin`")
    return Line("two-step PIN", Comparison.SAME if before == after else Comparison.EXPECTED, before, after)


def _templates(before: int | None, after: int | None) -> Iterator[Line]:
    if after is None:
        return
    if before is None or after > before:
        yield Line("approved templates", Comparison.EXPECTED, before, after, "of the whole WABA")
    elif after < before:
        yield Line("approved templates", Comparison.PERSON, before, after, "a move does not change templates")
    else:
        yield Line("approved templates", Comparison.SAME, before, after)


# -- webhooks and storage


def _route(before: Mapping[str, Any], after: After) -> Iterator[Line]:
    """Where a consumer's messages go, and that nobody has changed Meta's side of it."""
    if after.details is None:
        return
    was, goes_to = before.get("webhook"), after.details.messages_go_to
    if after.subscribed is False:
        yield Line("webhook route", Comparison.PERSON, was, None, "the profile's app is not subscribed to the WABA")
    elif goes_to is None:
        yield Line("webhook route", Comparison.PERSON, was, None, "Graph shows no address for the number's messages")
    elif was == goes_to:
        why = "the envelope of Cloud is another one: see the list of what callers change"
        yield Line("webhook route", Comparison.EXPECTED, was, goes_to, why)
    else:
        yield Line("webhook route", Comparison.EXPECTED, was, goes_to, "from the client's address to that at Meta")
    graph = before.get("graph")
    if graph is not None:
        routes = graph.get("webhook_configuration") or {}
        yield _kept("callbacks at Meta", routes, dict(after.details.webhook_configuration))


def _storage(region: str | None, after: StorageSettings | None) -> Iterator[Line]:
    if after is None:
        return
    shown = after.status if after.region is None else f"{after.status} in {after.region}"
    wanted = "at the client's own host"
    if region is None:
        right, why = after.status == "DEFAULT", "the inventory asks for no region"
    else:
        right = (after.status, after.region) == ("IN_COUNTRY_STORAGE_ENABLED", region)
        why = f"the inventory asks for {region}"
    yield Line("storage", Comparison.EXPECTED if right else Comparison.PERSON, wanted, shown, why)

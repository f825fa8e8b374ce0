"""What the answers of both sides mean together: every combination of readings, and what contradicts itself."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Rejected, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.both_sides import (
    cached_sides,
    expired,
    not_known_to_be_movable,
    not_movable,
    read_both,
    read_graph,
    read_sides,
    side_of,
    unclear,
)
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Evidence
from migration.steps.reading_cache import BothSides, GraphReading, ReadingCache
from migration.steps.sunset import SUNSET
from state.enums import Side
from tests.harness.clock import AFTER_SUNSET
from tests.harness.fake_clients import FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import (
    COMING_UP,
    DISCONNECTED,
    NAMELESS,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    REFUSED,
    REGISTERED_NOWHERE,
    SERVING,
    UNREACHABLE,
    expiring,
    later,
    make_both,
    make_number,
)

CLOUD = {
    "on Cloud": ON_CLOUD,
    "on premise": ON_PREMISE,
    "disconnected": DISCONNECTED,
    "nowhere": REGISTERED_NOWHERE,
    "coming up": COMING_UP,
}
ONPREM = {
    "serving": SERVING,
    "not serving": NOT_SERVING,
    "refused": REFUSED,
    "unreachable": UNREACHABLE,
    "no instance": None,
}
# (Cloud, On-Premises): the side before the sunset, the side after it.
SIDES = {
    ("on Cloud", "serving"): ("unknown", "unknown"),
    ("on Cloud", "not serving"): ("cloud", "cloud"),
    ("on Cloud", "refused"): ("cloud", "cloud"),
    ("on Cloud", "unreachable"): ("cloud", "cloud"),
    ("on Cloud", "no instance"): ("cloud", "cloud"),
    ("on premise", "serving"): ("on_premises", "on_premises"),
    ("on premise", "not serving"): ("neither", "neither"),
    ("on premise", "refused"): ("unknown", "unknown"),
    ("on premise", "unreachable"): ("unknown", "unknown"),
    ("on premise", "no instance"): ("unknown", "unknown"),
    ("disconnected", "serving"): ("on_premises", "on_premises"),
    ("disconnected", "not serving"): ("neither", "neither"),
    ("disconnected", "refused"): ("unknown", "neither"),
    ("disconnected", "unreachable"): ("unknown", "neither"),
    ("disconnected", "no instance"): ("neither", "neither"),
    ("nowhere", "serving"): ("on_premises", "on_premises"),
    ("nowhere", "not serving"): ("neither", "neither"),
    ("nowhere", "refused"): ("unknown", "neither"),
    ("nowhere", "unreachable"): ("unknown", "neither"),
    ("nowhere", "no instance"): ("neither", "neither"),
    ("coming up", "serving"): ("on_premises", "on_premises"),
    ("coming up", "not serving"): ("neither", "neither"),
    ("coming up", "refused"): ("unknown", "neither"),
    ("coming up", "unreachable"): ("unknown", "neither"),
    ("coming up", "no instance"): ("neither", "neither"),
}


def test_the_table_has_every_combination() -> None:
    assert set(SIDES) == {(cloud, onprem) for cloud in CLOUD for onprem in ONPREM}


@pytest.mark.parametrize("after_sunset", [False, True], ids=["before the sunset", "after the sunset"])
@pytest.mark.parametrize(("cloud", "onprem"), SIDES)
async def test_side_of(cloud: str, onprem: str, after_sunset: bool) -> None:
    number = make_both(CLOUD[cloud], ONPREM[onprem], now=AFTER_SUNSET if after_sunset else NOW)
    assert side_of(await read_both(number), number) == SIDES[cloud, onprem][after_sunset]


@pytest.mark.parametrize("onprem", ["refused", "unreachable", "no instance"])
async def test_a_recorded_statement_that_it_is_off_proves_it(onprem: str) -> None:
    number = make_both(ON_PREMISE, ONPREM[onprem], onprem_off_stated_by="ana")
    assert side_of(await read_both(number), number) is Side.NEITHER


async def test_a_client_that_serves_outweighs_the_statement_that_it_is_off() -> None:
    number = make_both(ON_PREMISE, SERVING, onprem_off_stated_by="ana")
    assert side_of(await read_both(number), number) is Side.ON_PREMISES


async def test_both_sides_claiming_it_outweighs_the_statement_that_it_is_off() -> None:
    number = make_both(ON_CLOUD, SERVING, onprem_off_stated_by="ana")
    assert side_of(await read_both(number), number) is Side.UNKNOWN


@pytest.mark.parametrize(
    ("cloud", "registered"),
    [
        (ON_CLOUD, True),
        (COMING_UP, False),
        (ON_PREMISE, False),
        (CloudNumber(id="1", platform_type="CLOUD_API", status="UNKNOWN"), False),
        (CloudNumber(id="1"), False),
    ],
)
def test_registered_on_cloud_takes_both_words(cloud: CloudNumber, registered: bool) -> None:
    assert cloud.registered is registered


# -- expiry


@pytest.mark.parametrize(
    ("reading", "snapshot", "now", "is_expired"),
    [
        (SERVING, {}, SUNSET - timedelta(seconds=1), False),
        (SERVING, {}, SUNSET, True),
        (expiring(SERVING, NOW + timedelta(days=1)), {}, NOW, False),
        (expiring(SERVING, NOW), {}, NOW, True),
        (expiring(SERVING, AFTER_SUNSET + timedelta(days=1)), {}, AFTER_SUNSET, False),
        (UNREACHABLE, {"expires_at": NOW.isoformat()}, NOW, True),
        (UNREACHABLE, {"expires_at": (AFTER_SUNSET + timedelta(days=1)).isoformat()}, AFTER_SUNSET, False),
        (expiring(SERVING, NOW + timedelta(days=1)), {"expires_at": NOW.isoformat()}, NOW, False),
        (None, {"expires_at": NOW.isoformat()}, NOW, True),
        (None, {}, NOW, False),
        (replace(SERVING, expiry_readable=False), {}, AFTER_SUNSET, False),
        (replace(SERVING, expiry_readable=False), {"expires_at": NOW.isoformat()}, AFTER_SUNSET, True),
    ],
    ids=[
        "a second before the sunset",
        "at the sunset",
        "a day before its own expiry",
        "at its own expiry",
        "a build that outlives the sunset",
        "unreachable, expired by the snapshot",
        "unreachable, alive by the snapshot",
        "what it says now outweighs the snapshot",
        "no instance, expired by the snapshot",
        "no instance, before the sunset",
        "it names a time that cannot be read",
        "it names a time that cannot be read, and the snapshot had one",
    ],
)
async def test_expired(
    reading: OnPremReading | None, snapshot: dict[str, str], now: datetime, is_expired: bool
) -> None:
    number = make_both(ON_PREMISE, reading, now=now, results={"snapshot": snapshot})
    assert expired(await read_both(number), number) is is_expired


# -- reading


async def test_read_both_asks_each_side_once_for_this_number() -> None:
    graph, onprem = FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING)
    both = await read_both(make_number(graph, onprem))
    assert (both.cloud, both.onprem) == (ON_PREMISE, SERVING)
    assert graph.script.arguments("number") == [{"phone_number_id": PHONE_NUMBER_ID}]
    assert onprem.script.names() == ["reading"]


async def test_the_cache_holds_for_one_pass_and_not_for_the_next() -> None:
    number = make_both([ON_PREMISE, ON_CLOUD], [SERVING, REFUSED])
    first = await cached_sides(number)
    assert await cached_sides(number) is first
    second = await cached_sides(later(number, 2))
    assert (second.cloud, second.onprem) == (ON_CLOUD, REFUSED)


async def test_read_both_reads_anew_also_where_a_reading_is_cached() -> None:
    number = make_both([ON_PREMISE, ON_CLOUD], [SERVING, REFUSED])
    await cached_sides(number)
    assert (await read_both(number)).cloud is ON_CLOUD


@pytest.mark.parametrize(
    "exc", [Transient("Graph: 503"), Rejected("Graph: 100", 100, SafeText("unsupported get request"))]
)
async def test_a_graph_that_cannot_be_read_raises_and_leaves_nothing_in_the_cache(exc: Exception) -> None:
    number = make_both([exc, ON_CLOUD], NOT_SERVING)
    with pytest.raises(type(exc)):
        await cached_sides(number)
    assert (await cached_sides(number)).cloud is ON_CLOUD


async def test_read_sides_gives_facts_and_side() -> None:
    assert await read_sides(make_both(ON_CLOUD, REFUSED)) == Evidence(
        {"cloud_status": "CONNECTED", "cloud_platform": "CLOUD_API", "onprem": "refused"}, side=Side.CLOUD
    )


async def test_facts_name_a_missing_instance() -> None:
    both = await read_both(make_both(REGISTERED_NOWHERE, None))
    assert both.facts() == {
        "cloud_status": "DISCONNECTED",
        "cloud_platform": "NOT_APPLICABLE",
        "onprem": "no instance",
    }
    assert not both.serving


async def test_sides_that_go_backwards_are_judged_each_by_its_own_reading() -> None:
    """Cloud shown, then not; a client that serves, is silent, and serves again."""
    number = make_both(
        [ON_PREMISE, ON_CLOUD, ON_PREMISE, ON_CLOUD, ON_PREMISE],
        [SERVING, UNREACHABLE, UNREACHABLE, SERVING, SERVING],
    )
    sides = [side_of(await read_both(number), number) for _ in range(5)]
    assert sides == [Side.ON_PREMISES, Side.CLOUD, Side.UNKNOWN, Side.UNKNOWN, Side.ON_PREMISES]


# -- numbers that are not ours to move


@pytest.mark.parametrize("status", ["BANNED", "DELETED", "MIGRATED"])
def test_a_number_of_this_status_is_not_moved(status: str) -> None:
    stop = not_movable(CloudNumber(id="1", status=status))
    assert stop == Blocked(f"Graph shows the number {status}", "runbooks/not-movable.md")


@pytest.mark.parametrize("status", ["CONNECTED", "DISCONNECTED", "PENDING", "FLAGGED", "UNKNOWN", "SOMETHING_NEW"])
def test_a_number_of_any_other_status_may_be_moved(status: str) -> None:
    assert not_movable(CloudNumber(id="1", status=status)) is None


def test_a_number_of_the_business_app_is_not_moved_whatever_its_status() -> None:
    stop = not_movable(CloudNumber(id="1", platform_type="ON_PREMISE", status="CONNECTED", is_on_biz_app=True))
    assert stop == Blocked("the number lives in the WhatsApp Business app", "runbooks/business-app.md")


def test_a_number_of_which_that_cannot_be_read_is_not_moved_either() -> None:
    stop = not_movable(CloudNumber(id="1", status="CONNECTED", is_on_biz_app=["yes"]))  # type: ignore[arg-type]
    assert stop is not None
    assert stop.reason == "what Graph shows of the WhatsApp Business app cannot be read"


@pytest.mark.parametrize(
    ("cloud", "known", "side"),
    [
        (ON_PREMISE, {}, Side.UNKNOWN),
        (DISCONNECTED, {}, Side.NEITHER),
        (REGISTERED_NOWHERE, {}, Side.NEITHER),
        (ON_PREMISE, {"register_sent": True}, Side.NEITHER),
        (ON_PREMISE, {"dark_by_us": True}, Side.NEITHER),
        (ON_PREMISE, {"results": {"snapshot": {"onprem": "serving"}}}, Side.NEITHER),
        (ON_PREMISE, {"onprem_off_stated_by": "ana"}, Side.NEITHER),
    ],
)
async def test_a_client_that_names_no_number_takes_none_down_that_graph_shows_connected(
    cloud: CloudNumber, known: dict[str, Any], side: Side
) -> None:
    number = make_both(cloud, NAMELESS, **known)
    assert side_of(await read_both(number), number) is side
    assert (unclear(await read_both(number), number, "register") is not None) is (side is Side.UNKNOWN)


@pytest.mark.parametrize(
    ("reading", "known", "movable"),
    [
        (SERVING, {}, True),
        (NOT_SERVING, {}, True),
        (NAMELESS, {}, False),
        (REFUSED, {}, False),
        (UNREACHABLE, {}, False),
        (None, {}, False),
        (None, {"onprem_off_stated_by": "ana"}, True),
        (REFUSED, {"dark_by_us": True}, True),
        (REFUSED, {"results": {"snapshot": {"onprem": "serving"}}}, True),
    ],
)
async def test_without_the_field_only_what_knows_the_number_says_that_it_is_not_in_the_app(
    reading: OnPremReading | None, known: dict[str, Any], movable: bool
) -> None:
    absent = CloudNumber(id=PHONE_NUMBER_ID, platform_type="ON_PREMISE", status="DISCONNECTED")
    number = make_both(absent, reading, now=AFTER_SUNSET, **known)
    both = await read_both(number)
    stop = not_known_to_be_movable(both, number)
    assert (stop is None) is movable
    assert (side_of(both, number) is Side.UNKNOWN) is not movable
    assert stop is None or (stop.runbook, "resolve N-0001 --onprem-off" in stop.reason) == (
        "runbooks/business-app.md",
        True,
    )


@pytest.mark.parametrize("platform", ["NOT_APPLICABLE", "CLOUD_API"])
async def test_on_another_platform_no_number_of_the_app_is_shown(platform: str) -> None:
    number = make_both(CloudNumber(id=PHONE_NUMBER_ID, platform_type=platform, status="DISCONNECTED"), None)
    assert not_known_to_be_movable(await read_both(number), number) is None


async def test_a_status_that_cannot_be_read_proves_no_outage() -> None:
    number = make_both(CloudNumber(id="1"), None, now=AFTER_SUNSET)
    assert side_of(await read_both(number), number) is Side.UNKNOWN


def after_a_stop(*, seconds_ago: float = 0.0, dark: bool = True) -> Number:
    """At the step after the one whose reading proved that the number is off On-Premises."""
    proof = BothSides(REGISTERED_NOWHERE, REFUSED)
    read = ReadingCache(both=proof, graph=GraphReading(proof.cloud, NOW - timedelta(seconds=seconds_ago)))
    number = make_number(FakeGraph(number=REGISTERED_NOWHERE), FakeOnPrem(reading=NOT_SERVING))
    return replace(number, reading_cache=read.for_next_step(dark=dark))


async def test_the_proof_of_a_stop_serves_the_next_decision() -> None:
    number = after_a_stop(seconds_ago=1.0)
    assert (await cached_sides(number)).kind == "refused"


@pytest.mark.parametrize("stale", [{"seconds_ago": 1.1}, {"seconds_ago": -0.1}, {"dark": False}], ids=str)
async def test_an_old_proof_or_one_of_a_number_that_is_served_does_not(stale: dict[str, Any]) -> None:
    assert (await cached_sides(after_a_stop(**stale))).kind == "not_serving"


async def test_a_newer_reading_of_graph_alone_ends_the_proof() -> None:
    number = after_a_stop()
    await read_graph(number)
    assert (await cached_sides(number)).kind == "not_serving"


async def test_a_proof_goes_on_over_steps_that_read_nothing_and_ends_with_a_call() -> None:
    number = after_a_stop()
    number = replace(number, reading_cache=number.reading_cache.for_next_step(dark=True))
    assert (await cached_sides(number)).kind == "refused"
    number.reading_cache.discard()
    assert (await cached_sides(number)).kind == "not_serving"

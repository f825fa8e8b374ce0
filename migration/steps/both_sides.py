"""Reads both sides, and says what the two readings mean together. All decisions about the side are made here."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from migration.clients.cloud_standing import ENDED, ClientConnection, CloudStanding
from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading, Reading
from migration.clients.shared_readings import BEFORE_CROSSING_AGE
from migration.runtime.concurrency import both_of
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Evidence, Waiting
from migration.steps.protocol import READS_LAG
from migration.steps.reading_cache import BothSides, GraphReading
from migration.steps.sunset import SUNSET
from state.enums import Party, Side

# Steps that follow one another without a call take less; what changes meanwhile is seen by the next reading.
RECENT = timedelta(seconds=1)


async def read_both(number: Number) -> BothSides:
    """Raises Transient or Rejected when Graph cannot be read; On-Premises always gives a reading."""
    return await _read(number, lambda: read_graph(number))


async def read_early(number: Number) -> BothSides:
    """As `read_both`, for a step that lies before the crossing and changes no side.

    There Graph's part may come from one listing of the WABA. Once the number has crossed, it is read by itself.
    """
    return await _read(number, lambda: cloud_before_crossing(number, BEFORE_CROSSING_AGE))


async def _read(number: Number, read_cloud: Callable[[], Awaitable[CloudNumber]]) -> BothSides:
    """Side by side: one after the other, the slower of them would lengthen an outage by the time of the other."""
    begun = number.time()
    if number.onprem is None:
        return _noted(number, BothSides(await read_cloud(), None), begun)
    onprem, cloud = await both_of(number.onprem.reading(), read_cloud())
    return _noted(number, BothSides(cloud, onprem), begun)


async def read_graph(number: Number) -> CloudNumber:
    """What Graph shows of the number now."""
    cloud = await number.cloud.number(number.state.phone_number_id)
    cache = number.reading_cache
    cache.graph, cache.proof = GraphReading(cloud, number.time()), None  # a proof is as old as its part of Graph
    return cloud


async def recent_graph(number: Number) -> CloudNumber:
    """As `read_graph`, but at most RECENT old, for what no call of ours has changed since.

    Not for a decision about a call that can move the number: that one reads anew.
    """
    read = number.reading_cache.graph
    if read is not None and _is_recent(number, read):
        return read.cloud
    return await read_graph(number)


async def look_again(number: Number, *, ask_graph: bool = True) -> None:
    """Note whether the number is served now. Graph is asked only where its client does not say itself that it serves.

    Raises Transient or Rejected when Graph cannot be read.
    """
    begun = number.time()
    onprem = await number.onprem.reading() if number.onprem is not None else None
    if onprem is not None and onprem.kind is Reading.SERVING:
        number.service.add(Side.ON_PREMISES, begun, number.time(), READS_LAG)
    elif ask_graph:
        # One list of the WABA does for all of its numbers that stand still; it may be as old as that.
        cloud = await number.shared.number(number.state.phone_number_id, BEFORE_CROSSING_AGE)
        age = BEFORE_CROSSING_AGE if onprem is None or cloud.registered else timedelta()
        _noted(number, BothSides(cloud, onprem), begun - age)


def _noted(number: Number, both: BothSides, begun: datetime) -> BothSides:
    """The reading, noted for what is known of the number's service."""
    number.service.add(serves_now(both, number), begun, number.time(), READS_LAG)
    return both


def serves_now(both: BothSides, number: Number) -> Side:
    """Which side serves the number at this moment, `neither` where none does; no proof that a side is off for good."""
    return _side(both, number, lambda: _says_off(both, number) or graph_agrees_gone(both))


async def cloud_before_crossing(number: Number, max_age: timedelta) -> CloudNumber:
    """What Graph shows of the number: at most `max_age` old while no call of ours could have moved it, else anew."""
    state = number.state
    if state.crossed_at is not None or state.dark_by_us:
        return await recent_graph(number)
    return await number.shared.number(state.phone_number_id, max_age)


async def cached_early(number: Number) -> BothSides:
    """As `read_early`, but at most once a pass."""
    if number.reading_cache.both is None:
        number.reading_cache.both = await read_early(number)
    return number.reading_cache.both


async def cached_sides(number: Number) -> BothSides:
    """As `read_both`, but at most once a pass: `check`, `probe` and `prepare` lie milliseconds apart. During an outage
    each further reading would lengthen it, and slow readings would use up the lease before an intent is committed."""
    cache = number.reading_cache
    if cache.both is None and cache.proof is not None and _is_recent(number, cache.graph):
        cache.both = cache.proof
    if cache.both is None:
        cache.both = await read_both(number)
    return cache.both


def _is_recent(number: Number, read: GraphReading | None) -> bool:
    return read is not None and timedelta() <= number.time() - read.at <= RECENT


def side_of(both: BothSides, number: Number) -> Side:
    """What the two readings show together; `unknown` when they contradict each other or one is missing."""
    return _side(both, number, lambda: off_for_sure(both, number))


def _side(both: BothSides, number: Number, onprem_is_off: Callable[[], bool]) -> Side:
    if both.cloud.registered:
        # A number lives on one platform: both sides claiming it means one of them lags.
        return Side.UNKNOWN if both.serving else Side.CLOUD
    if both.serving:
        return Side.ON_PREMISES
    if both.cloud.standing is CloudStanding.CANNOT_TELL or _may_be_on_app(both, number):
        return Side.UNKNOWN
    return Side.NEITHER if onprem_is_off() else Side.UNKNOWN


def serving_side(both: BothSides) -> Side | None:
    """On-Premises where the client serves and Graph does not show the number on Cloud; None where both claim it."""
    return Side.ON_PREMISES if both.serving and not both.cloud.registered else None


def off_for_sure(both: BothSides, number: Number) -> bool:
    """Whether it is proved that On-Premises does not serve; failing to reach it is no proof."""
    if _says_off(both, number) or number.state.onprem_off_stated_by is not None:
        return True
    return graph_agrees_gone(both) and (both.onprem is None or expired(both, number))


def _says_off(both: BothSides, number: Number) -> bool:
    """Whether the number's own client says that it does not serve."""
    says_so = both.onprem is not None and both.onprem.kind is Reading.NOT_SERVING
    return says_so and not client_unidentified(both, number)


def client_unidentified(both: BothSides, number: Number) -> bool:
    """Whether the client may be another number's: it serves none and names none, and Graph shows this one connected.

    Not where this migration has known the client for its own: then Graph lags.
    """
    unidentified = both.onprem is not None and is_unidentified(both.onprem, both.cloud)
    return unidentified and not _was_on_premises(number)


def _was_on_premises(number: Number) -> bool:
    """Whether this migration has found the number on its own client, or a person has said that it was there."""
    state = number.state
    stated = state.onprem_off_stated_by is not None
    moved_by_us = state.register_sent or state.dark_by_us or state.crossed_at is not None
    served = number.result_of("snapshot").get("onprem") == Reading.SERVING
    return stated or moved_by_us or served or bool(number.result_of("deregister_onprem"))


def is_unidentified(onprem: OnPremReading, cloud: CloudNumber) -> bool:
    """By one reading of each side; see `client_unidentified`."""
    unnamed = onprem.kind is Reading.NOT_SERVING and not onprem.names_a_number
    return unnamed and cloud.client is ClientConnection.LIVE


def graph_agrees_gone(both: BothSides) -> bool:
    """Graph, too, shows no live client: registered nowhere, or not connected."""
    if both.onprem is not None and both.cloud.platform_type == "NOT_APPLICABLE":
        return True
    return both.cloud.client is ClientConnection.DOWN or both.cloud.standing is CloudStanding.COMING_UP


def expired(both: BothSides, number: Number) -> bool:
    """Whether this client's build has passed its expiry; every build has since the sunset, unless it says otherwise."""
    expires_at = both.onprem.expires_at if both.onprem is not None else None
    in_snapshot = number.result_of("snapshot").get("expires_at")
    if expires_at is None and in_snapshot is not None:
        expires_at = datetime.fromisoformat(str(in_snapshot))
    if expires_at is None and both.onprem is not None and not both.onprem.expiry_readable:
        return False  # it says otherwise, and we cannot read what
    return number.now >= (expires_at or SUNSET)


async def read_sides(number: Number) -> Evidence:
    """Both sides as evidence, for the engine after a refusal."""
    both = await read_both(number)
    return Evidence(both.facts(), side=side_of(both, number))


def graph_sets_no_pin(cloud: CloudNumber, facts: Mapping[str, str]) -> bool:
    """By the field fact, Graph's PIN call would not set the PIN that `register` of this number has to name."""
    return facts.get("pin_while_not_on_cloud") == "refused" or keeps_its_pin(cloud, facts)


def keeps_its_pin(cloud: CloudNumber, facts: Mapping[str, str]) -> bool:
    """By the field fact, Graph's PIN call is answered with success, and the PIN stays that of On-Premises."""
    return facts.get("pin_while_not_on_cloud") == "onprem_keeps" and cloud.platform_type == "ON_PREMISE"


UNCLEAR_PAGE = "runbooks/graph-unclear.md"
# How long Graph may show a number in a way that says nothing about where it is; the figure is ours.
UNCLEAR_FOR = timedelta(minutes=5)


def unclear(both: BothSides, number: Number, step: str) -> Waiting | Blocked | None:
    """Why nothing may be done now that cannot be taken back: what both sides show does not say where the number is."""
    shown = f"status {both.cloud.status} on platform {both.cloud.platform_type}"
    if both.cloud.standing is CloudStanding.CANNOT_TELL:
        reason = f"Graph shows {shown}; that does not say whether the number is on Cloud"
        page, whose = UNCLEAR_PAGE, Party.META
    elif both.onprem is not None and client_unidentified(both, number):
        reason = f"Graph shows {shown}, and its client {unnamed_client(both.onprem)}"
        page, whose = LOGIN_PAGE, Party.OPERATOR
    else:
        return None
    since = datetime.fromisoformat(number.note_of(step).get("unclear_since") or number.now.isoformat())
    if number.now - since > UNCLEAR_FOR:
        return Blocked(reason, page)
    note = {**number.note_of(step), "unclear_since": since.isoformat()}
    return Waiting(number.next_check(since, 2), whose, reason, note)


LOGIN_PAGE = "runbooks/onprem-login.md"
CORRECT = "`cutover import FILE --correct` gives each number its own client"


def wrong_client(reading: OnPremReading) -> str:
    """In words, that the client of the number's row is another number's."""
    return f"its On-Premises client is not its own: {reading.detail}"


def unnamed_client(reading: OnPremReading) -> str:
    """In words, as the end of a sentence, what may mean that the client is another number's."""
    return f"says {reading.detail} and names no number: it may be another number's; {CORRECT}"


def not_its_own_client(both: BothSides) -> Blocked | None:
    """Why nothing may be stopped or registered: in the inventory the clients of two numbers were exchanged."""
    if both.onprem is None or not both.onprem.of_another:
        return None
    return Blocked(f"{wrong_client(both.onprem)}; {CORRECT}", LOGIN_PAGE)


APP_PAGE = "runbooks/business-app.md"


def not_movable(cloud: CloudNumber) -> Blocked | None:
    """Why this number must not be touched, if Graph says so."""
    if cloud.is_on_biz_app is True:
        # Such a number reads platform_type ON_PREMISE although it never was: field reports of 2026.
        return Blocked("the number lives in the WhatsApp Business app", APP_PAGE)
    if cloud.is_on_biz_app == "unreadable":
        return Blocked("what Graph shows of the WhatsApp Business app cannot be read", APP_PAGE)
    if cloud.status in ENDED:
        return Blocked(f"Graph shows the number {cloud.status}", "runbooks/not-movable.md")
    return None


MAY_BE_ON_APP = "Graph does not show whether the number lives in the WhatsApp Business app, and no client of its own"


def may_be_on_app(cloud: CloudNumber, onprem: OnPremReading | None) -> bool:
    """Whether a number that Graph shows On-Premises may live in the app instead: the field that tells is absent.

    A version of Graph that does not know the field leaves it out for every number. A client that is registered for the
    number shows it too.
    """
    own = onprem is not None and onprem.kind in (Reading.SERVING, Reading.NOT_SERVING) and onprem.names_a_number
    return cloud.is_on_biz_app is None and cloud.platform_type == "ON_PREMISE" and not own


def _may_be_on_app(both: BothSides, number: Number) -> bool:
    return may_be_on_app(both.cloud, both.onprem) and not _was_on_premises(number)


def not_known_to_be_movable(both: BothSides, number: Number) -> Blocked | None:
    """As `not_movable`, and why it must not be touched as long as the two sides do not show whose it is."""
    if (stop := not_movable(both.cloud)) is not None:
        return stop
    if not _may_be_on_app(both, number):
        return None
    state = f"`cutover resolve {number.state.ref} --onprem-off` where it was on the On-Premises API"
    return Blocked(f"{MAY_BE_ON_APP} answers; {state}", APP_PAGE)

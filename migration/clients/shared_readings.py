"""What many numbers need of Graph, read once: a profile's token, and the subscriptions and numbers of a WABA.

A WABA without a registered number has 200 calls an hour: read once for each of its numbers, they would be gone before
the first number is moved. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from migration.clients.graph import GraphApi
from migration.clients.graph_details import NumberDetails
from migration.clients.graph_models import CloudNumber, SubscribedApp, TokenFacts
from migration.errors import MigrationError, Rejected

T = TypeVar("T")

# How old a reading may be, by what it decides. After the crossing, and before a call that cannot be taken back, each
# number is read by itself and anew.
TOKEN_AGE = timedelta(minutes=10)
PREFLIGHT_AGE = timedelta(minutes=5)  # checks change nothing, and each step reads again
BEFORE_CROSSING_AGE = timedelta(seconds=60)
CODE_AGE = timedelta(seconds=10)  # whether the number is verified already, before its phone rings
SUBSCRIBED_AGE = timedelta(minutes=15)
TEMPLATES_AGE = timedelta(minutes=15)
# That our app is not subscribed is followed by a call that would remove an override set meanwhile.
NOT_SUBSCRIBED_AGE = timedelta(seconds=2)


# A list has many pages, and a worker's lease for reading ends: after this long the number is read by itself.
LONGEST_LISTING_S = 10.0


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float  # when it began, in seconds on the boot-time clock
    value: Any = None
    refused: Rejected | None = None


class SharedReadings:
    """The readings of one process. A reading that is under way is awaited, not made a second time."""

    def __init__(self, boot_time: Callable[[], float]) -> None:
        self.boot_time = boot_time
        self._readings: dict[Hashable, _Reading] = {}
        self._running: dict[Hashable, asyncio.Future[_Reading]] = {}
        self._changed: dict[Hashable, float] = {}  # key of a number -> when a call last changed it

    async def read(
        self, key: Hashable, max_age: timedelta, read: Callable[[], Awaitable[T]], *, keep_refusal: bool = False
    ) -> T:
        """The value of `read`, at most `max_age` old. Raises what `read` raises.

        `keep_refusal`: a refusal, too, is the answer to all that ask; else the next one that asks finds out itself.
        """
        known = self.known(key, max_age) or await self._run(key, read, keep_refusal)
        if known.refused is not None:
            raise known.refused.with_traceback(None)
        return cast(T, known.value)

    def known(self, key: Hashable, max_age: timedelta) -> _Reading | None:
        """The reading of `key`, if there is one that is not older than `max_age`; with an age of 0 there is none."""
        reading = self._readings.get(key)
        if reading is None or not max_age or self.boot_time() - reading.at > max_age.total_seconds():
            return None
        return reading

    def forget(self, key: Hashable) -> None:
        """No reading that began before now shows what is true of this number any more."""
        self._readings.pop(key, None)
        self._changed[key] = self.boot_time()

    def is_current(self, key: Hashable, reading: _Reading) -> bool:
        """No call has changed this number since the reading began."""
        return reading.at > self._changed.get(key, float("-inf"))

    async def _run(self, key: Hashable, read: Callable[[], Awaitable[Any]], keep_refusal: bool) -> _Reading:
        """One that is under way is awaited. Where whoever makes it is stopped, the next one makes it."""
        while (running := self._running.get(key)) is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()
        self._running[key] = under_way = asyncio.get_running_loop().create_future()
        try:
            reading = await self._make(read)
            if reading.refused is None or keep_refusal:
                self._readings[key] = reading
            under_way.set_result(reading)
        except MigrationError as exc:
            under_way.set_exception(exc)
            under_way.exception()  # nobody else may be waiting for it
            raise
        finally:
            under_way.cancel()  # of no effect where it has its result
            del self._running[key]
        return reading

    async def _make(self, read: Callable[[], Awaitable[Any]]) -> _Reading:
        at = self.boot_time()
        try:
            return _Reading(at, await read())
        except Rejected as exc:
            return _Reading(at, refused=exc)


class WabaReadings:
    """The shared readings of one WABA, with the token of one profile."""

    def __init__(self, shared: SharedReadings, graph: GraphApi, profile_id: int, waba_id: str) -> None:
        self._shared = shared
        self._graph = graph
        self._profile_id = profile_id
        self._waba_id = waba_id

    async def token(self) -> TokenFacts:
        """What Graph says of the profile's token. Raises Transient or Rejected, as all methods do."""
        key = ("token", self._profile_id)
        return await self._shared.read(key, TOKEN_AGE, self._graph.debug_token, keep_refusal=True)

    async def subscribed_apps(self, max_age: timedelta = SUBSCRIBED_AGE) -> tuple[SubscribedApp, ...]:
        """The apps that get the webhooks of the WABA."""
        return await self._shared.read(self._key("apps"), max_age, lambda: self._graph.subscribed_apps(self._waba_id))

    async def number(self, phone_number_id: str, max_age: timedelta = BEFORE_CROSSING_AGE) -> CloudNumber:
        """What Graph shows of one number of the WABA.

        The first number is read by itself. Where another one is asked for while that is not older than `max_age`,
        the whole WABA is listed, 100 numbers a call, for all that follow.
        """
        key = self._number_key(phone_number_id)
        if (known := self._shared.known(key, max_age)) is not None:
            return cast(CloudNumber, known.value)
        first = await self._shared.read(self._key("first"), max_age, lambda: _as_it_is(phone_number_id))
        if first != phone_number_id and (listed := await self._listed(phone_number_id, max_age)) is not None:
            return listed
        return await self._shared.read(key, max_age, lambda: self._graph.number(phone_number_id))

    async def details(self, phone_number_id: str) -> NumberDetails | None:
        """Standing, limits and route before the move, from one list of the WABA; None where it is not in it."""
        listed = await self._shared.read(self._key("details"), BEFORE_CROSSING_AGE, self._details)
        return listed.get(phone_number_id)

    async def approved_templates(self) -> int | None:
        """How many approved templates the WABA has."""
        waba, read = self._waba_id, self._graph.approved_templates
        return await self._shared.read(self._key("templates"), TEMPLATES_AGE, lambda: read(waba))

    async def _details(self) -> dict[str, NumberDetails]:
        return {row.id: row for row in await self._graph.details_of_all(self._waba_id)}

    def forget(self, phone_number_id: str) -> None:
        """A call may have changed this number: what was read of it before is not used again."""
        self._shared.forget(self._number_key(phone_number_id))

    def forget_apps(self) -> None:
        """A call may have changed the subscriptions of the WABA."""
        self._shared.forget(self._key("apps"))

    async def _listed(self, phone_number_id: str, max_age: timedelta) -> CloudNumber | None:
        """None where the list does not show the number, takes too long, or is from before a call that changed it."""
        key = self._key("numbers")
        try:
            async with asyncio.timeout(LONGEST_LISTING_S):
                listed = await self._shared.read(key, max_age, self._list)
        except TimeoutError:
            return None
        reading, changed = self._shared.known(key, max_age), self._number_key(phone_number_id)
        if reading is None or not self._shared.is_current(changed, reading):
            return None
        return listed.get(phone_number_id)

    async def _list(self) -> dict[str, CloudNumber]:
        return {number.id: number for number in await self._graph.numbers(self._waba_id)}

    def _key(self, what: str) -> Hashable:
        return (what, self._profile_id, self._waba_id)

    def _number_key(self, phone_number_id: str) -> Hashable:
        return ("number", self._profile_id, phone_number_id)


async def _as_it_is(value: str) -> str:
    return value

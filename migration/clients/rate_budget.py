"""Graph's limits on calls: each call is counted before it is made, and not made where none is left.

Meta counts by app and WABA in a moving hour; every answer carries what is used, in percent. Calls while throttled
lengthen the wait. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeGuard

from migration.clients.usage_headers import ANYBODY, Concerned, app_percent, ids_named, usage_percent
from migration.errors import CallsSpent, Throttled
from state.ledger.call_budgets import EVERY_WABA, BudgetKey, CallBlock, closed_reason
from state.ledger.call_window import ACTIVE

# How long a worker may go on with the calls that it took; what is left of them then is given back.
BLOCK_LASTS_S = 60.0
# The part of a limit (a tenth) by which the use of others has to change for the other workers to be told at once.
TOLD_AT_ONCE = 10
# Not among the management calls that Meta counts for a WABA.
_NOT_COUNTED = ("/settings", "/whatsapp_business_profile")
_OF_WABA = ("/phone_numbers", "/subscribed_apps")


class CallStore(Protocol):
    """The budget that the workers of a home share."""

    async def take(
        self, key: BudgetKey, *, urgent: bool, unused: int = 0, used_by_others: int | None = None
    ) -> CallBlock: ...

    async def give_back(self, key: BudgetKey, unused: int, used_by_others: int | None = None) -> None: ...

    async def close(self, key: BudgetKey, duration: timedelta) -> datetime: ...

    async def closed_until(self, key: BudgetKey) -> tuple[datetime, timedelta] | None: ...

    async def saw_numbers(self, key: BudgetKey, *, any_on_cloud: bool) -> bool: ...


@dataclass(slots=True)
class _Account:
    """What this worker knows of one budget."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    block: CallBlock | None = None
    unused: int = 0
    taken_at: float = 0.0
    closed_at: float = 0.0  # until then Graph takes no calls, on the boot-time clock
    closed_until: datetime | None = None
    used_by_others: int | None = None  # as the last answer showed it, where nobody was told yet
    seen_at: float = 0.0  # when it showed it
    others_told: int = 0  # what of it the other workers know
    active: bool | None = None
    asked_at: float = float("-inf")  # when it was known whether any worker has met a limit of the app itself

    def close(self, until: datetime, wait: timedelta, now: float) -> None:
        """Graph takes no calls for `wait` from `now` on, which is on the boot-time clock."""
        self.closed_at, self.closed_until = now + wait.total_seconds(), until


class RateBudget:
    """The calls of one process."""

    def __init__(self, store: CallStore, boot_time: Callable[[], float]) -> None:
        self._store = store
        self._boot_time = boot_time
        self._accounts: dict[BudgetKey, _Account] = {}
        self._businesses: dict[str, str] = {}  # WABA -> the id under which its usage was shown

    @contextmanager
    def counted_in(self, store: CallStore) -> Iterator[None]:
        """Count in another store meanwhile: a dry run must not write to the home's database."""
        kept = self._store, self._accounts
        self._store, self._accounts = store, {}
        try:
            yield
        finally:
            self._store, self._accounts = kept

    def of(self, app_id: str, waba_id: str | None = None, *, urgent: bool = False) -> "GraphCalls":
        """For calls with a token of this app; `waba_id` is that of the number they are about.

        `urgent`: the number crosses, or may be dark. It may use the reserve.
        """
        return GraphCalls(self, app_id, waba_id, urgent)

    async def take(self, key: BudgetKey, *, urgent: bool) -> None:
        """Count one call. Raises CallsSpent; then it must not be made."""
        account = self._account(key)
        async with account.lock:
            self.check_open(key)
            now = self._boot_time()
            if account.unused == 0 or now - account.taken_at >= BLOCK_LASTS_S:
                await self._take_block(key, account, urgent=urgent)
            account.unused -= 1

    def check_open(self, key: BudgetKey) -> None:
        """Raises CallsSpent while Graph takes no calls, as far as this worker knows."""
        account, now = self._account(key), self._boot_time()
        if account.closed_until is None:
            return
        if now < account.closed_at:
            wait = timedelta(seconds=account.closed_at - now)
            raise CallsSpent(closed_reason(key, account.closed_until), wait)
        account.closed_until = None

    async def check_open_to_all(self, key: BudgetKey) -> None:
        """For calls of the app itself. Raises CallsSpent while Graph takes none, as far as any worker knows.

        Each block tells it too, so the store is asked only where none was taken lately.
        """
        self.check_open(key)
        account, now = self._account(key), self._boot_time()
        if now - account.asked_at < BLOCK_LASTS_S:
            return
        account.asked_at = now
        closed = await self._store.closed_until(key)
        if closed is not None:
            account.close(*closed, now)
            self.check_open(key)

    async def _take_block(self, key: BudgetKey, account: _Account, *, urgent: bool) -> None:
        back, others = account.unused, account.used_by_others
        if self._boot_time() - account.seen_at >= BLOCK_LASTS_S:
            others = None  # it was true then; the next answer shows it anew
        block = await self._store.take(key, urgent=urgent, unused=back, used_by_others=others)
        account.block, account.unused, account.taken_at = block, block.granted, self._boot_time()
        self._note_app(key.app_id, block)
        account.used_by_others = None
        account.others_told = account.others_told if others is None else others
        if block.granted:
            return
        wait = max(block.free_at - block.now, timedelta(seconds=1))
        if block.closed:
            account.close(block.free_at, wait, account.taken_at)
            raise CallsSpent(closed_reason(key, block.free_at), wait)
        left = f"{key.whose} has {block.left} of {block.limit} calls left this hour"
        raise CallsSpent(f"{left}, kept for numbers that cross; more at {block.free_at:%H:%M} UTC", wait)

    def _note_app(self, app_id: str, block: CallBlock) -> None:
        """What a block shows of the limit of the app itself."""
        account, until = self._account(BudgetKey(app_id)), block.app_closed_until
        account.asked_at = self._boot_time()
        if until is not None:
            account.close(until, until - block.now, account.asked_at)

    async def observe(self, key: BudgetKey, headers: Mapping[str, str]) -> None:
        """What an answer shows of the usage: where it is more than we counted, others use calls too.

        The other workers are told at once where it is much more, and else with the next block.
        """
        account, named = self._account(key), ids_named(headers)
        if key.waba_id and len(named) == 1:
            self._businesses[key.waba_id] = named[0]  # of a later header with several, its rows are this WABA's
        percent = usage_percent(headers, self.concerned(key), accepted=True) if key.waba_id else app_percent(headers)
        if percent is None or account.block is None:
            return
        block = account.block
        shown = percent * block.limit // 100
        others = min(max(shown - (block.ours - account.unused), 0), block.limit)
        account.used_by_others, account.seen_at = others, self._boot_time()
        if abs(others - account.others_told) * TOLD_AT_ONCE >= block.limit:
            account.used_by_others, account.others_told = None, others
            await self._store.give_back(key, 0, others)

    def concerned(self, key: BudgetKey | None) -> Concerned:
        """Whose usage counts for this budget, as far as answers have shown it."""
        if key is None or not key.waba_id:
            return ANYBODY
        own = (key.waba_id, self._businesses.get(key.waba_id, key.waba_id))
        wabas = {each.waba_id for each in self._accounts if each.waba_id} | self._businesses.keys()
        return Concerned(tuple(dict.fromkeys(own)), wabas - {*own})

    async def close(self, key: BudgetKey, throttled: Throttled) -> None:
        """Graph refused a call: none is made before the time that it named, by any worker of this home."""
        account = self._account(key)
        until = await self._store.close(key, throttled.retry_after)
        account.close(until, throttled.retry_after, self._boot_time())
        account.unused = 0  # after that time the store is asked: another worker may know of a longer one

    async def saw_numbers(self, key: BudgetKey, *, any_on_cloud: bool) -> None:
        """A list of the WABA shows whether it is active: 5,000 calls an hour, else 200."""
        account = self._account(key)
        if account.active is None and account.block is not None:
            account.active = account.block.limit == ACTIVE  # as the store had it for the call that listed it
        if account.active != any_on_cloud:
            account.active = await self._store.saw_numbers(key, any_on_cloud=any_on_cloud)

    def has_plenty(self, key: BudgetKey) -> bool:
        """By the last block: half of an active WABA's calls are left, which is more than all numbers at once need."""
        account = self._account(key)
        if account.block is None or self._boot_time() - account.taken_at >= BLOCK_LASTS_S or account.closed_until:
            return False
        return account.block.limit == ACTIVE and account.block.left >= ACTIVE // 2

    async def give_back(self) -> None:
        """Before the process ends: the calls that it took and did not make."""
        for key, account in self._accounts.items():
            if account.unused:
                back, account.unused = account.unused, 0
                await self._store.give_back(key, back)

    def _account(self, key: BudgetKey) -> _Account:
        return self._accounts.setdefault(key, _Account())


class GraphCalls:
    """The calls of one client: for which app and WABA each counts, and whether it may use the reserve."""

    def __init__(self, budget: RateBudget, app_id: str, waba_id: str | None, urgent: bool) -> None:
        self._budget = budget
        self._app_id = app_id
        self._waba_id = waba_id
        self._urgent = urgent

    @property
    def waba_id(self) -> str | None:
        """Of the number that the calls are about, where it is known."""
        return self._waba_id

    async def before(self, path: str) -> None:
        """Raises CallsSpent where this reading must not be made now."""
        key = self._key(path)
        if key is not None:
            if key.waba_id:
                self._budget.check_open(BudgetKey(self._app_id, EVERY_WABA))
            await self._budget.take(key, urgent=self._urgent)

    async def after(self, path: str, headers: Mapping[str, str], error: Exception | None) -> None:
        """What the answer to it shows."""
        key = self._key(path)
        if key is None:
            return
        if isinstance(error, Throttled):
            every = key.waba_id and _refuses_every_waba(headers, error, self.concerned(path))
            await self._budget.close(BudgetKey(self._app_id, EVERY_WABA) if every else key, error)
        else:  # a throttled answer shows 100 percent, and names the time when that is over
            await self._budget.observe(key, headers)

    async def before_write(self, path: str) -> None:
        """Raises CallsSpent where this write must not be made now.

        Only those that count for the app itself: each further one would lengthen the wait of all others. Writes on a
        WABA have their calls kept for them before the number's gate.
        """
        key = self._key(path)
        if _is_of_app(key):
            await self._budget.check_open_to_all(key)

    async def after_write(self, path: str, headers: Mapping[str, str], error: Throttled) -> None:
        """A write was refused for a limit of reads and writes; one of messages alone closes nothing."""
        if error.limit is not None or _is_of_app(self._key(path)):
            await self.after(path, headers, error)

    def concerned(self, path: str) -> Concerned:
        """Whose rows of the usage headers are about this call."""
        return self._budget.concerned(self._key(path) or _of_number(self._app_id, self._waba_id))

    async def saw_numbers(self, waba_id: str, *, any_on_cloud: bool) -> None:
        """All numbers of a WABA were listed."""
        await self._budget.saw_numbers(BudgetKey(self._app_id, waba_id), any_on_cloud=any_on_cloud)

    def _key(self, path: str) -> BudgetKey | None:
        """The budget that a reading counts for; None where Meta counts it for no WABA."""
        if path.endswith(_OF_WABA):
            return BudgetKey(self._app_id, path.split("/")[1])
        if path == "/debug_token" or path.endswith("/uploads") or path.startswith("/upload:"):
            return BudgetKey(self._app_id)
        if path.endswith(_NOT_COUNTED) or self._waba_id is None:
            return None
        return BudgetKey(self._app_id, self._waba_id)


def _of_number(app_id: str, waba_id: str | None) -> BudgetKey | None:
    return BudgetKey(app_id, waba_id) if waba_id is not None else None


def _is_of_app(key: BudgetKey | None) -> TypeGuard[BudgetKey]:
    """Whether the call counts for the app itself, and not for a WABA."""
    return key is not None and not key.waba_id


def _refuses_every_waba(headers: Mapping[str, str], error: Throttled, concerned: Concerned) -> bool:
    """Of a call on a WABA. Its own limit counts first: which code it is refused with is not documented."""
    if error.limit == "waba" or (usage_percent(headers, concerned) or 0) >= 100:
        return False
    return error.limit == "app" or (app_percent(headers) or 0) >= 100

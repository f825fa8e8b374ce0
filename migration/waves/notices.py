"""Tells people what they have to know. Done by whatever runs: a wave's loop, a sweep.

The causes are found anew in each pass; what is told of them is written down before it is sent, so a message that a dead
service did not take is tried again, and two processes send it once. No move waits for a message.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from migration.app import App
from migration.errors import MigrationError
from migration.notify.notify_targets import CauseKind, Target, told_now
from migration.notify.planning import next_notice
from migration.notify.sending import body_of, send
from migration.runtime.concurrency import gather_all
from migration.runtime.log import get_logger
from migration.waves.background_pass import BackgroundPass
from migration.waves.causes import LEFT_LATELY, dark_ones, find_causes
from state.notices import CauseRow, FoundCause, NoticeKind, NoticeRow
from state.rows import WaveRow

BETWEEN_PASSES_S = 10.0
MOST_LOOKED_AT = 5_000
AGAIN_AFTER = (timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
URGENT_AGAIN = timedelta(minutes=1)  # at the latest: of what is dark, and of a code, which lives for ten minutes
URGENT = (CauseKind.DARK, CauseKind.HALTED, CauseKind.CODE_EXPIRING)
HEARTBEAT_WITHIN_S = 10.0
WORD = {
    NoticeKind.OPENED: "",
    NoticeKind.CHANGED: "more: ",
    NoticeKind.REMINDER: "still: ",
    NoticeKind.RESOLVED: "over: ",
}

_LOG = get_logger("notify")


def targets_of(app: App) -> dict[str, Target]:
    """By name; entries of one address are a target each. Raises BadSetting where an address cannot be read."""
    folder = app.settings.admin_path.parent
    targets: dict[str, Target] = {}
    before: Counter[str] = Counter()
    for given in dict.fromkeys(row.target(folder) for row in app.admin.notify):
        target = replace(given, place=before[given.name])
        before[given.name] += 1
        targets[target.name] = target
    return targets


async def _told_now(app: App) -> dict[str, Target]:
    targets = targets_of(app)
    if all(target.operator is None for target in targets.values()):
        return targets
    on_duty = {shift.operator for shift in await app.queries.people.on_duty()}
    return {target.name: target for target in told_now(targets.values(), on_duty)}


async def tell_people(app: App, *, leaving: bool = False) -> None:
    """One pass: find the causes, write down what has to be told, send it and what was left over.

    `leaving`: the caller ends with it. A number that it leaves dark is told now, because nobody may look again in time.
    """
    await gather_all(await _deliveries(app, leaving=leaving))


async def _deliveries(app: App, *, leaving: bool) -> list[Coroutine[Any, Any, None]]:
    """What has to be sent now. It is written down, and taken: nobody else sends it for a minute."""
    targets = await _told_now(app)
    if not targets:
        return []
    causes = await _synced_causes(app, leaving=leaving)
    ended = await app.queries.notices.causes_to_end()
    last = await app.queries.notices.last_notices([cause.id for cause in (*causes, *ended)])
    by_target = {(notice.cause_id, notice.target): notice for notice in last}
    now = await app.queries.now()
    made = []
    for cause in (*causes, *ended):
        for target in targets.values():
            before = by_target.get((cause.id, target.name))
            kind = next_notice(cause, target, before, now)
            place = before.place + 1 if before is not None else 0
            if kind is None:
                continue
            waits = before is not None and before.sent_at is None
            notice = await app.ledger.notices.make(cause, target.name, place, kind, waits=waits)
            if notice is not None and not waits:
                made.append(notice)
    left = [notice for notice in await app.queries.notices.to_try() if await app.ledger.notices.take(notice)]
    kinds = {cause.id: CauseKind(cause.kind) for cause in (*causes, *ended)}
    over = [notice.cause_id for notice in left if notice.cause_id not in kinds]  # those whose end is written down too
    kinds |= {cause_id: CauseKind(kind) for cause_id, kind in (await app.queries.notices.kinds(over)).items()}
    return [_deliver(app, targets, notice, kinds[notice.cause_id]) for notice in (*made, *left)]


async def current_causes(
    app: App,
    known: Sequence[CauseRow],
    waves: Sequence[WaveRow],
    *,
    leaving: bool = False,
    most: int = MOST_LOOKED_AT,
) -> tuple[FoundCause, ...]:
    """What somebody has to know of now, by the record; nothing is written. `known`: the open causes. `waves`: all.

    `most`: so many numbers are looked at, those that may be dark first.
    """
    now = await app.queries.now()
    positions, to_tell, left, profiles = await asyncio.gather(
        app.queries.positions.needing_attention(most),
        app.queries.proofs.to_tell(),
        app.queries.positions.left_by_workers(LEFT_LATELY),
        app.queries.fleet.profiles(),
    )
    halted = [row for row in profiles if row["halted_at"] is not None]
    dark = dark_ones(line for row in known if row.kind == CauseKind.DARK for line in row.lines)
    return find_causes(positions, waves, halted, now, to_tell, left, known_dark=dark, leaving=leaving)


async def _synced_causes(app: App, *, leaving: bool) -> tuple[CauseRow, ...]:
    rows = await app.queries.notices.open_causes()
    found = await current_causes(app, rows, await app.queries.waves.all(), leaving=leaving)
    if await app.ledger.notices.sync(found, rows):
        rows = await app.queries.notices.open_causes()
    return rows


async def _deliver(app: App, targets: Mapping[str, Target], notice: NoticeRow, kind: CauseKind) -> None:
    target = targets.get(notice.target)
    if target is None:
        await app.ledger.notices.drop(notice.id)
        return
    urgent = kind in URGENT
    once = notice.kind is NoticeKind.RESOLVED or kind is CauseKind.FINISHED
    repeated = target.repeat is not None and not once
    lines = _names(notice.lines) if notice.kind is NoticeKind.RESOLVED else tuple(notice.lines)
    body = body_of(lines, notice.cause_id if repeated else None)
    try:
        await send(target, f"cutover: {_title(notice, kind)}", body, urgent=urgent)
    except MigrationError as exc:
        again = AGAIN_AFTER[min(notice.tries, len(AGAIN_AFTER) - 1)]
        again = min(again, URGENT_AGAIN) if urgent or kind is CauseKind.CODE else again
        await app.ledger.notices.failed(notice.id, str(exc), again)
        _LOG.warning("a message was not taken; it is sent again in %d s: %s", again.total_seconds(), exc)
        return
    await app.ledger.notices.sent(notice)


def _title(notice: NoticeRow, kind: CauseKind) -> str:
    """Of a wave there are no more numbers in a later message, and how many were left is true no more at its end."""
    if kind not in (CauseKind.WINDOW_ENDING, CauseKind.HALTED):
        return f"{WORD[notice.kind]}{notice.title}"
    if notice.kind is NoticeKind.CHANGED:
        return notice.title
    ended = notice.kind is NoticeKind.RESOLVED and kind is CauseKind.WINDOW_ENDING
    return f"{WORD[notice.kind]}{notice.title.partition(', and ')[0] if ended else notice.title}"


def _names(lines: Sequence[str]) -> tuple[str, ...]:
    """Which numbers: why they were told of, and what to type, is true no more."""
    return tuple(line.partition(": ")[0] for line in lines)


class Heartbeat:
    """Asks an address outside from time to time; whoever keeps it calls a person when that stops."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._next = float("-inf")

    async def beat(self) -> None:
        settings, now = self._app.admin.heartbeat, self._app.clock.boot_time()
        if settings is None or now < self._next:
            return
        self._next = now + settings.every_min * 60
        url = settings.address(self._app.settings.admin_path.parent)
        client = self._app.clients.http.graph
        by = client.within(HEARTBEAT_WITHIN_S)
        answer = await client.send("GET", url.get_secret_value(), call="heartbeat", by=by, write=False)
        if not answer.is_success:
            _LOG.warning("the heartbeat's address answers HTTP %d", answer.status_code)


class PeopleTeller:
    """Passes in the background, one at a time: a target that does not answer holds no number up, and no other pass."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._heartbeat = Heartbeat(app)
        self._pass = BackgroundPass(app.clock, BETWEEN_PASSES_S)
        self._under_way: set[asyncio.Task[None]] = set()

    def begin_pass(self) -> None:
        """Does nothing while a pass is under way, or a short time after it."""
        self._pass.begin(self._run)

    async def finish(self) -> None:
        """Wait for the pass under way, and tell what has come about since: a wave that ends, a number left dark."""
        await self._pass.wait()
        await self._run(leaving=True)
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _run(self, *, leaving: bool = False) -> None:
        self._begin("the heartbeat", self._heartbeat.beat())
        await self._noted("people", self._tell(leaving=leaving))

    async def _tell(self, *, leaving: bool) -> None:
        for delivery in await _deliveries(self._app, leaving=leaving):
            self._begin("people", delivery)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._noted(name, work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _noted(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MigrationError as exc:
            _LOG.warning("%s could not be told: %s", name, exc)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it may end no run of a number
            _LOG.error("%s could not be told: %s", name, type(exc).__name__)

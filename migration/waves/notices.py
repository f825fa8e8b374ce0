"""Tells people what they have to know. Done by whatever runs: a wave's loop, a sweep.

The causes are found anew in each pass; what is told of them is written down before it is sent, so a message that a dead
service did not take is tried again, and two processes send it once. No move waits for a message.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from migration.app import App
from migration.errors import MigrationError
from migration.notify.notify_targets import CauseKind, Target
from migration.notify.planning import next_notice
from migration.notify.sending import body_of, send
from migration.runtime.concurrency import gather_all
from migration.runtime.log import get_logger
from migration.waves.causes import find_causes
from state.notices import CauseRow, NoticeKind, NoticeRow

BETWEEN_PASSES_S = 10.0
AGAIN_AFTER = (timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
HEARTBEAT_WITHIN_S = 10.0
WORD = {
    NoticeKind.OPENED: "",
    NoticeKind.CHANGED: "more: ",
    NoticeKind.REMINDER: "still: ",
    NoticeKind.RESOLVED: "over: ",
}

_LOG = get_logger("notify")


def targets_of(app: App) -> dict[str, Target]:
    """By name. Raises BadSetting where an address cannot be read."""
    folder = app.settings.admin_path.parent
    return {target.name: target for target in (row.target(folder) for row in app.admin.notify)}


async def tell_people(app: App) -> None:
    """One pass: find the causes, write down what has to be told, send it and what was left over."""
    targets = targets_of(app)
    if not targets:
        return
    causes = await _current_causes(app)
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
            if kind is not None and (notice := await app.ledger.notices.make(cause, target.name, place, kind)):
                made.append(notice)
    left = [notice for notice in await app.queries.notices.to_try() if await app.ledger.notices.take(notice)]
    kinds = {cause.id: CauseKind(cause.kind) for cause in (*causes, *ended)}
    await gather_all(_deliver(app, targets, notice, kinds) for notice in (*made, *left))


async def _current_causes(app: App) -> tuple[CauseRow, ...]:
    now, waves = await app.queries.now(), await app.queries.waves.all()
    positions = await app.queries.positions.needing_attention()
    halted = [row for row in await app.queries.fleet.profiles() if row["halted_at"] is not None]
    rows = await app.queries.notices.open_causes()
    if await app.ledger.notices.sync(find_causes(positions, waves, halted, now), rows):
        rows = await app.queries.notices.open_causes()
    return rows


async def _deliver(app: App, targets: Mapping[str, Target], notice: NoticeRow, kinds: Mapping[int, CauseKind]) -> None:
    target = targets.get(notice.target)
    if target is None:
        await app.ledger.notices.drop(notice.id)
        return
    urgent = kinds.get(notice.cause_id) in (CauseKind.DARK, CauseKind.HALTED, CauseKind.CODE_EXPIRING)
    repeated = target.repeat is not None and notice.kind is not NoticeKind.RESOLVED
    body = body_of(tuple(notice.lines), notice.cause_id if repeated else None)
    try:
        await send(target, f"cutover: {WORD[notice.kind]}{notice.title}", body, urgent=urgent)
    except MigrationError as exc:
        again = AGAIN_AFTER[min(notice.tries, len(AGAIN_AFTER) - 1)]
        await app.ledger.notices.failed(notice.id, str(exc), again)
        _LOG.warning("a message was not taken; it is sent again in %d s: %s", again.total_seconds(), exc)
        return
    await app.ledger.notices.sent(notice.id)


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
    """Passes in the background, one at a time: a target that does not answer holds no number up."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._heartbeat = Heartbeat(app)
        self._pass: asyncio.Task[None] | None = None
        self._next = app.clock.boot_time()

    def begin_pass(self) -> None:
        """Does nothing while a pass is under way, or a short time after it."""
        now = self._app.clock.boot_time()
        if now < self._next or (self._pass is not None and not self._pass.done()):
            return
        self._next = now + BETWEEN_PASSES_S
        self._pass = asyncio.ensure_future(self._run())

    async def finish(self) -> None:
        """Wait for the pass under way, and tell what has come about since: a wave that ends, a number left dark."""
        if self._pass is not None:
            await asyncio.wait({self._pass})
        await self._run()

    async def _run(self) -> None:
        for name, work in (("the heartbeat", self._heartbeat.beat), ("people", partial(tell_people, self._app))):
            try:
                await work()
            except MigrationError as exc:
                _LOG.warning("%s could not be told: %s", name, exc)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it may end no run of a number
                _LOG.error("%s could not be told: %s", name, type(exc).__name__)

"""Passes over paused senders: what one hook or one row does keeps no other number's pause from being renewed."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from migration.clients.traffic_hooks import HookDone
from migration.engine.itineraries import ITINERARIES
from migration.engine.sender_needs import SenderNeed, owes_resume, sender_need
from migration.waves.senders import BETWEEN_PASSES_S, SenderKeeper, keep_senders_informed
from state.enums import Side, Status, WaveState
from tests.harness.positions import NOW, make_position

PAUSED: dict[str, Any] = {
    "paused_at": NOW,
    "pause_until": NOW + timedelta(minutes=3),
    "next_step": "drain",
    "status": Status.RUNNING,
}


class Fleet:
    """Two numbers of two customers, with a hook each; the one named `silent` never answers."""

    def __init__(self, **first: Any) -> None:
        self.now, self.seconds = NOW + timedelta(minutes=2), 0.0
        self.told: list[str] = []
        self.rows = [
            make_position(**PAUSED | {"hook": "silent", "ref": "N-0001"} | first),
            make_position(**PAUSED | {"hook": "good", "ref": "N-0002", "number_id": 2, "migration_id": 2}),
        ]
        senders = SimpleNamespace(claim=self._yes, confirm=self._yes, fail=self._yes)
        self.app: Any = SimpleNamespace(
            clock=SimpleNamespace(boot_time=lambda: self.seconds),
            queries=SimpleNamespace(now=self._now, positions=SimpleNamespace(paused=self._paused)),
            ledger=SimpleNamespace(senders=senders),
            clients=SimpleNamespace(hooks=lambda name: SimpleNamespace(announce=self._announce(name))),
        )

    async def _yes(self, *_: Any) -> bool:
        return True

    async def _now(self) -> Any:
        return self.now

    async def _paused(self) -> Any:
        return self.rows

    def _announce(self, hook: str) -> Any:
        async def announce(body: Any, _key: str, *, send_by: float) -> HookDone:
            if hook == "silent":
                await asyncio.Event().wait()
            self.told.append(f"{body['event']} {hook}")
            return HookDone()

        return announce


async def test_a_hook_that_hangs_keeps_no_other_hook_s_pause_from_being_renewed() -> None:
    fleet = Fleet()
    keeper = SenderKeeper(fleet.app)
    for _ in range(3):
        keeper.begin_pass()
        for _ in range(10):
            await asyncio.sleep(0)
        fleet.seconds += BETWEEN_PASSES_S
    assert fleet.told == ["pause_sends good"] * 3
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


@pytest.mark.parametrize("odd", [{"itinerary": "NONE"}, {"next_step": "no_such"}])
async def test_a_row_of_another_release_keeps_no_other_number_s_senders_uninformed(odd: dict[str, str]) -> None:
    fleet = Fleet(hook="good", **odd)
    await keep_senders_informed(fleet.app)
    assert sorted(fleet.told) == ["pause_sends good", "resume_sends good"]


@pytest.mark.parametrize(("side", "need"), [(Side.ON_PREMISES, SenderNeed.RESUME), (Side.UNKNOWN, SenderNeed.PAUSE)])
def test_senders_of_a_number_that_nobody_here_can_move(side: Side, need: SenderNeed) -> None:
    """They go on where it serves, and keep their messages where it may be dark."""
    row = make_position(**PAUSED | {"itinerary": "NONE", "side": side})
    assert sender_need(row) is need
    assert owes_resume(row) is (need is SenderNeed.RESUME)


def test_senders_of_a_number_whose_wave_was_stopped_go_on_at_once() -> None:
    """It waits for its queue: without this, its senders would too, for the ten minutes of a drain."""
    waits = PAUSED | {"status": Status.WAITING, "waiting_until": NOW + timedelta(seconds=10)}
    assert sender_need(make_position(**waits, wave_state=WaveState.RUNNING)) is SenderNeed.PAUSE
    assert sender_need(make_position(**waits, wave_state=WaveState.STOPPED)) is SenderNeed.RESUME
    crossed = make_position(**waits, wave_state=WaveState.STOPPED, crossed_at=NOW)
    assert sender_need(crossed) is SenderNeed.PAUSE


@pytest.mark.parametrize("end", [Status.DONE, Status.ABORTED, Status.SKIPPED])
@pytest.mark.parametrize("itinerary", ITINERARIES)
@pytest.mark.parametrize("side", list(Side))
def test_senders_that_are_still_paused_at_any_end_of_a_number_have_to_go_on(
    itinerary: str, end: Status, side: Side
) -> None:
    ended = {"itinerary": itinerary, "status": end, "side": side, "next_step": None, "ended_at": NOW}
    row = make_position(**PAUSED | ended)
    assert sender_need(row) is SenderNeed.RESUME
    assert owes_resume(row)

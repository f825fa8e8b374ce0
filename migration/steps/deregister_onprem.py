"""Take the number off On-Premises, or make sure that it stays off.

On-Premises has no deregister call: it means stopping the client by a named command and having proof that it is
gone. After `register` with a backup it is a safeguard: the move is done, and the client is kept from coming back.
Taken back by: starting the client again, as long as its registration is live.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from migration.steps.both_sides import (
    cached_sides,
    client_unidentified,
    expired,
    graph_agrees_gone,
    not_its_own_client,
    side_of,
    unclear,
)
from migration.steps.client_command import run_client_command
from migration.steps.foreign_register import moved_by_others
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Probe, Waiting
from migration.steps.protocol import AFTER_COMMAND, StepContract
from migration.steps.reading_cache import BothSides
from migration.steps.register_needs import refused_after_the_stop
from state.enums import Promise, Side

STOP_PAGE = "runbooks/stop-by-hand.md"
BETWEEN_READINGS = timedelta(seconds=2)


class DeregisterOnPrem:
    contract: ClassVar[StepContract] = StepContract(
        name="deregister_onprem",
        promise=Promise.PROBED,
        longest_call=timedelta(seconds=60),
        reads_lag=AFTER_COMMAND,
        moves_to=Side.NEITHER,
        runs_command=True,
    )

    async def check(self, number: Number) -> None | Waiting | Blocked:
        both = await cached_sides(number)
        stop = not_its_own_client(both) or unclear(both, number, self.contract.name)
        stop = stop or self._moved_by_others(both, number)
        stop = stop or refused_after_the_stop(both, number)
        if stop is not None:
            return stop
        if _stop_command(number) is not None or _gone(both, number) or _serves_from_cloud(both):
            return None
        if both.kind == "not_serving" and not client_unidentified(both, number):
            return None  # a second reading will prove it
        return Blocked(f"On-Premises reads {both.kind} and no stop command is named for it", STOP_PAGE)

    def _moved_by_others(self, both: BothSides, number: Number) -> Waiting | Blocked | None:
        """A person who was asked to stop a client by hand has done so: that is no sign of another home."""
        stop = moved_by_others(both, number, self.contract.name)
        by_hand = isinstance(stop, Waiting) and _stop_command(number) is None
        return None if by_hand else stop

    async def prepare(self, number: Number) -> Draft:
        both = await cached_sides(number)
        command = _stop_command(number)
        limit = {"limit_s": number.commands.limit_s(command)} if command is not None else {}
        return Draft({"command": command, "onprem_before": both.kind, **limit})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        side = None if both.cloud.registered else Side.NEITHER
        if _gone(both, number) or self._proven(both, number, intent):
            return Done(Evidence(both.facts(), side=side))
        if intent is None and number.result_of(self.contract.name) and not both.serving:
            return Done(Evidence(both.facts(), side=side))  # proved before in this migration
        # A client that serves again voids what earlier readings and an earlier stop had proved.
        served = {"served_at": number.now.isoformat()} if both.serving else None
        if _stop_first(number, intent):
            return NotDone(both.facts(), side_of(both, number), served)
        if both.kind == "not_serving" and not client_unidentified(both, number):
            return CannotTell(
                number.now + BETWEEN_READINGS,
                "not serving; a second reading will prove it",
                {**number.note_of(self.contract.name), "not_serving_at": number.now.isoformat()},
            )
        if _serves_from_cloud(both):
            return Done(Evidence(both.facts() | {"kept_off_by": "nobody; the number is on Cloud"}, side=side))
        if intent is None or both.serving:
            return NotDone(both.facts(), note=served)
        return CannotTell(number.now + BETWEEN_READINGS, f"On-Premises reads {both.kind}")

    def _proven(self, both: BothSides, number: Number, intent: Intent | None) -> bool:
        noted = number.note_of(self.contract.name)
        if both.kind == "refused":
            before = intent.facts.get("onprem_before") if intent is not None else None
            if before in ("serving", "not_serving"):
                return True
            # Refused before the stop as well, it may be the port of another number's client: Graph has to agree.
            showed_nothing = noted.get("onprem_before", before) == "refused"
            return "stopped_at" in noted and (not showed_nothing or graph_agrees_gone(both))
        first = noted.get("not_serving_at")
        return (
            both.kind == "not_serving"
            and not client_unidentified(both, number)
            and first is not None
            and number.now - datetime.fromisoformat(first) >= BETWEEN_READINGS
        )

    async def apply(self, number: Number, intent: Intent) -> CannotTell:
        await run_client_command(number, intent)
        before = intent.facts.get("onprem_before")
        note = {"stopped_at": number.now.isoformat(), "answered": intent.key, "onprem_before": before}
        return CannotTell(number.after(seconds=1), "stopped; proof is being read", note)


def _stop_command(number: Number) -> str | None:
    return number.state.instance.stop_command if number.state.instance is not None else None


def _stop_first(number: Number, intent: Intent | None) -> bool:
    """Before a first attempt a client with a stop command is stopped even if it is silent: so that it stays off."""
    return (
        intent is None and _stop_command(number) is not None and "stopped_at" not in number.note_of("deregister_onprem")
    )


def _gone(both: BothSides, number: Number) -> bool:
    """Proof that needs no second reading."""
    if both.serving:
        return False
    if number.state.onprem_off_stated_by is not None:
        return True
    if both.onprem is None:
        return graph_agrees_gone(both)
    return both.kind != "not_serving" and expired(both, number) and graph_agrees_gone(both)


def _serves_from_cloud(both: BothSides) -> bool:
    """The number serves from Cloud, so On-Premises cannot: a number lives on one platform at a time."""
    return both.cloud.registered and not both.serving

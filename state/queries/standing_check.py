"""Do the rows of migrations and waves stand where their events say: side, end, state, what is released?"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import RowMapping

from state.enums import ENDED, Released, WaveState
from state.ledger.migrations import SAYS_SIDE_AND_END

Difference = tuple[str, str]  # the place, and what is wrong there
STATE_OF_EVENT = {"planned": WaveState.PLANNED, "begun": WaveState.RUNNING, "continued": WaveState.RUNNING}


class MigrationStanding:
    """Fed with the events of one migration, in order. One that began under an older release says too little."""

    def __init__(self) -> None:
        self._says_all = False
        self._side: str | None = None
        self._ended_as: str | None = None

    def take(self, event: RowMapping) -> None:
        facts: Mapping[str, Any] = event["facts"]
        self._says_all = self._says_all or (event["seq"] == 1 and facts.get(SAYS_SIDE_AND_END) is True)
        self._side = facts.get("side", self._side)
        self._ended_as = facts.get("ended_as", self._ended_as)

    def differences(self, row: Mapping[Any, Any]) -> Iterator[str]:
        """`row`: `side` and `status` of the migration."""
        if not self._says_all:
            return
        if row["side"] != self._side:
            yield f"its side is {row['side']}, and its events say {self._side}"
        ended_as = row["status"] if row["status"] in ENDED else None
        if ended_as != self._ended_as:
            yield f"it is {row['status']}, and its events say {self._ended_as or 'that it has not ended'}"


class WaveStanding:
    """Fed with the events of one wave, in order. What no event says is not compared: an older release wrote fewer."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}

    def take(self, event: Mapping[Any, Any]) -> None:
        kind, facts = event["kind"], event["facts"]
        state = STATE_OF_EVENT.get(kind) or (kind if kind in set(WaveState) else None)
        if state is not None:
            self._said["state"] = state
        self._said |= {name: facts[name] for name in ("released", "concurrency") if name in facts}
        if kind == "released" and "released" in facts.get("was", {}):  # narrowed to numbers that it names
            self._said["released"] = Released.NONE

    def differences(self, row: Mapping[Any, Any]) -> Iterator[str]:
        """`row`: `state`, `released` and `concurrency` of the wave."""
        for name, said in self._said.items():
            if row[name] != said:
                yield f"its {name} is {row[name]}, and its events say {said}"

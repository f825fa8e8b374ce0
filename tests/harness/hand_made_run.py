"""A `StepRun` made by hand: one step of a test's own in an itinerary of a test's own."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from pydantic import SecretStr

from migration.engine.decisions import Advance, Decision
from migration.engine.itineraries import Itinerary, ItineraryName, ItineraryStep
from migration.engine.kept_numbers import KeptNumbers
from migration.engine.recorder import StepRecorder
from migration.engine.step_run import StepRun
from migration.engine.write_lag import WriteLag
from migration.steps.number import Number
from migration.steps.outcomes import Advanced, CannotTell, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import Step, StepContract
from state.enums import Promise, Side, Status
from state.ledger.moves import Move, Moves
from state.rows import Lease, OpenAttempt, SealedSecret
from tests.harness.hand_made_number import NOW, make_number


class DeclaredStep:
    """A step of which only the contract matters."""

    contract: ClassVar[StepContract] = StepContract(name="not_declared", promise=Promise.READ)

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft()

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        return NotDone({})

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell:
        return Evidence()


def declared(name: str, promise: Promise = Promise.REPEATABLE, **more: Any) -> Step:
    step = type(name, (DeclaredStep,), {"contract": StepContract(name=name, promise=promise, **more)})()
    assert isinstance(step, DeclaredStep)
    return step


def make_run(
    name: str = "the_step",
    *,
    number: Number | None = None,
    attempt: OpenAttempt | None = None,
    optional: bool = False,
    changes_side: bool = False,
    gated: bool = False,
    ends_as: Status = Status.DONE,
    goes_to: Side | None = Side.CLOUD,
    earlier: tuple[Step, ...] = (),
    last: bool = False,
    **contract: Any,
) -> StepRun:
    """The step `name` between `earlier` ones and a last one. `contract` is what it declares."""
    entry = ItineraryStep(
        name, own=declared(name, **contract), optional=optional, changes_side=changes_side, gated=gated
    )
    steps = (
        *(ItineraryStep(step.contract.name, own=step) for step in earlier),
        entry,
        *(() if last else (ItineraryStep("the_next", own=declared("the_next")),)),
    )
    itinerary = Itinerary(ItineraryName.WITH_BACKUP, steps, ends_as=ends_as, goes_to=goes_to)
    lease = Lease(1, "worker-1", 2, NOW, NOW + timedelta(seconds=45), 0)
    return StepRun(itinerary, entry, lease, number or make_number(), attempt)


def make_attempt(intent: Mapping[str, Any] | None = None, step: str = "the_step", **columns: Any) -> OpenAttempt:
    values: dict[str, Any] = {
        "id": 101,
        "number": 1,
        "step": step,
        "key": f"1/{step}/1",
        "intent": intent or {},
        "side_before": Side.ON_PREMISES,
        "opened_at": NOW,
        "answer_due": NOW + timedelta(seconds=35),
        "settle_by": NOW + timedelta(seconds=335),
        "has_secret": False,
    }
    return OpenAttempt(**(values | columns))


class FakeMoves:
    """Keeps what is written, with the fence that it is written under."""

    def __init__(self, exc: Exception | None = None) -> None:
        self.moves: list[Move] = []
        self.fences: list[int] = []
        self._exc = exc

    async def record(self, lease: Lease, move: Move) -> tuple[datetime, Mapping[str, Any]]:
        if self._exc is not None:
            raise self._exc
        self.moves.append(move)
        self.fences.append(lease.fence)
        return NOW, {}


class FakeStore:
    """Seals by writing down in clear, and says what was kept."""

    def __init__(self, exc: Exception | None = None) -> None:
        self.kept: list[tuple[str, str, str]] = []
        self.dropped: list[tuple[str, str]] = []
        self._exc = exc

    def seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret:
        return SealedSecret(name, value.get_secret_value().encode(), b"", "test")

    async def shelve(self, owner: str, name: str, value: SecretStr, lease: tuple[int, int]) -> SealedSecret:
        if self._exc is not None:
            raise self._exc
        self.kept.append((owner, name, value.get_secret_value()))
        return SealedSecret(name, value.get_secret_value().encode(), b"", "test", f"{lease[0]}.{lease[1]}")

    async def drop_older_copies(self, owner: str, name: str) -> None:
        self.dropped.append((owner, name))

    def seal_intent(self, migration_id: int, attempt: int, secret: Mapping[str, SecretStr]) -> SealedSecret | None:
        raise NotImplementedError  # the executor's part

    async def open_intent(self, migration_id: int, attempt: int) -> Mapping[str, SecretStr]:
        raise NotImplementedError  # the executor's part


def no_lag() -> WriteLag:
    """Where nobody's writes wait."""
    return WriteLag(lambda: 0.0)


async def move_of(run: StepRun, decision: Decision, store: FakeStore | None = None) -> Move:
    """The one write that the decision becomes; it also asserts what the recorder returns."""
    moves = FakeMoves()
    outcome = await StepRecorder(cast(Moves, moves), store or FakeStore(), KeptNumbers(), no_lag()).record(
        run, decision
    )
    (move,) = moves.moves
    assert moves.fences == [run.lease.fence]
    if isinstance(decision.outcome, Advance):
        assert outcome == Advanced(run.contract.name, ended=move.status is not Status.READY)
    else:
        assert outcome is decision.outcome
    return move

"""The fakes have the calls of what they replace; otherwise a step could pass its tests and fail at work."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from migration.clients.commands import NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.onprem import OnPremApi
from migration.clients.traffic_hooks import TrafficHooks
from migration.vault.store import NumberSecrets, SecretStore
from state.ledger.attempts import Attempts
from state.ledger.leases import Leases
from state.ledger.moves import Moves
from state.queries.gate import GateQueries
from state.queries.positions import PositionQueries
from state.queries.queries import Queries
from state.queries.records import RecordQueries
from tests.harness.fake_clients import FakeCommands, FakeGraph, FakeHooks, FakeOnPrem, FakeSecrets, Script
from tests.harness.ledger_in_memory import (
    MemoryAttempts,
    MemoryGate,
    MemoryLeases,
    MemoryMoves,
    MemoryPositions,
    MemoryQueries,
    MemoryRecords,
    MemorySecretStore,
)

FAKES: dict[type[Any], type[Any]] = {
    FakeGraph: GraphApi,
    FakeOnPrem: OnPremApi,
    FakeHooks: TrafficHooks,
    FakeCommands: NamedCommands,
    FakeSecrets: NumberSecrets,
    MemoryLeases: Leases,
    MemoryAttempts: Attempts,
    MemoryMoves: Moves,
    MemoryPositions: PositionQueries,
    MemoryRecords: RecordQueries,
    MemoryGate: GateQueries,
    MemoryQueries: Queries,
    MemorySecretStore: SecretStore,
}


def calls_of(fake: type[Any]) -> list[str]:
    return [name for name, function in vars(fake).items() if inspect.iscoroutinefunction(function)]


def shape(function: Callable[..., Any]) -> list[tuple[inspect._ParameterKind, str, str]]:
    """Kind, annotation and, where it is passed by name, the name of each parameter."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.kind, str(p.annotation), p.name if p.kind is p.KEYWORD_ONLY else "") for p in parameters]


@pytest.mark.parametrize(
    ("fake", "call"),
    [(fake, call) for fake in FAKES for call in calls_of(fake)],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_fake_is_called_as_its_client_is(fake: type[Any], call: str) -> None:
    real = getattr(FAKES[fake], call)
    assert inspect.iscoroutinefunction(real)
    assert shape(getattr(fake, call)) == shape(real)
    assert inspect.signature(getattr(fake, call)).return_annotation == inspect.signature(real).return_annotation


def test_answers_come_in_order_and_the_last_repeats() -> None:
    script = Script("graph", {"number": [1, 2]})
    assert [script.answer(int, "number") for _ in range(3)] == [1, 2, 2]


def test_an_exception_in_the_script_is_raised() -> None:
    script = Script("graph", {"number": [KeyError("data"), 7]})
    with pytest.raises(KeyError):
        script.answer(int, "number")
    assert script.answer(int, "number") == 7


def test_a_reading_that_nobody_scripted_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no answer"):
        Script("graph", {}).answer(int, "number")


def test_every_call_is_recorded_also_one_that_failed() -> None:
    script = Script("graph", {"register": TimeoutError()})
    with pytest.raises(TimeoutError):
        script.accept("register", pin="123456")
    assert [(call.name, dict(call.arguments)) for call in script.calls] == [("register", {"pin": "123456"})]

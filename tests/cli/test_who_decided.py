"""Each verb that decides something leaves who, when and what in the record."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from migration.operations.waves import begin_wave
from tests.cli.side_effects import MakeOperator
from tests.harness.operator import Operator

ANA = "Ana Lima"
BECAUSE = ("--because", "a reason")
CONFIRM = ("--confirm", "N-0001")
HOOK = {"hook": "senders", "start_command": "start"}
Prepare = Callable[[Operator], None]


def nothing(_operator: Operator) -> None:
    """The number as its import leaves it."""


def at(step: str) -> Prepare:
    def prepare(operator: Operator) -> None:
        operator.advance_to(step)

    return prepare


def done(operator: Operator) -> None:
    operator.run_number()


def blocked(operator: Operator) -> None:
    operator.change_at_meta("banned", True)
    operator.run_number()
    operator.change_at_meta("banned", False)


def moved_by_others(operator: Operator) -> None:
    operator.advance_to("register")
    operator.change_at_meta("platform", "CLOUD_API")
    operator.sandbox_client().registered = False
    operator.run_number()


def waits_for_code(operator: Operator) -> None:
    operator.cutover("run", "N-0001", "--patience", "0")


def on_hold(operator: Operator) -> None:
    operator.cutover("hold", "N-0001")


def planned(operator: Operator) -> None:
    operator.cutover("plan", "north")


def begun(operator: Operator) -> None:
    planned(operator)
    operator.with_app(lambda app: begin_wave(app, "north"))


def wave_on_hold(operator: Operator) -> None:
    begun(operator)
    operator.cutover("hold", "north")


@dataclass(frozen=True)
class Decision:
    """`kind`: of the event that has to stand in the history of the number (or of the wave north)."""

    verb: tuple[str, ...]
    kind: str
    prepare: Prepare = nothing
    columns: dict[str, str] = field(default_factory=dict)
    sandbox: dict[str, Any] = field(default_factory=lambda: {"kinds": ["healthy"]})
    typed: str | None = None
    of_wave: bool = False


CODE = {"kinds": ["no_backup"]}
RESOLVE = ("resolve", "N-0001", *BECAUSE)
DECISIONS = {
    "hold": Decision(("hold", "N-0001"), "hold"),
    "release": Decision(("release", "N-0001"), "released", on_hold),
    "abort": Decision(("abort", "N-0001", *BECAUSE, *CONFIRM), "switched"),
    "back-to-onprem": Decision(
        ("back-to-onprem", "N-0001", *CONFIRM), "started", done, HOOK, {"kinds": ["verified"], "world": "open"}
    ),
    "enter-code": Decision(("enter-code", "N-0001"), "code_entered", waits_for_code, sandbox=CODE, typed="newest"),
    "look again": Decision((*RESOLVE, "--look-again"), "resolved", blocked),
    "switch": Decision((*RESOLVE, "--switch", "CODE_FIRST"), "switched"),
    "onprem off": Decision((*RESOLVE, "--onprem-off"), "onprem_off_stated"),
    "PIN handed in": Decision((*RESOLVE, "--pin-handed-in", "--stdin"), "pin_stated", typed="123456\n"),
    "two-step off": Decision((*RESOLVE, "--two-step-off"), "pin_stated"),
    "Terms accepted": Decision((*RESOLVE, "--terms-accepted"), "terms_stated"),
    "take over": Decision((*RESOLVE, "--take-over", *CONFIRM), "taken_over", moved_by_others),
    "spend the reserve": Decision((*RESOLVE, "--spend-reserve"), "reserve_released"),
    "senders resumed": Decision((*RESOLVE, "--senders-resumed"), "senders_resumed_stated", at("drain"), HOOK),
    "dispose": Decision((*RESOLVE, "--dispose", "churned", *CONFIRM), "skipped"),
    "forward": Decision(
        (*RESOLVE, "--switch", "FORWARD_RECOVERY", *CONFIRM), "started", done, sandbox={"kinds": ["dark"]}
    ),
    "move": Decision(("move", "N-0001", "--to", "south", "--new", *BECAUSE), "wave_changed"),
    "import": Decision(("status",), "started"),
    "plan": Decision(("plan", "north"), "planned", of_wave=True),
    "plan anew": Decision(("plan", "north", "--concurrency", "3"), "replanned", planned, of_wave=True),
    "hold a wave": Decision(("hold", "north"), "held", planned, of_wave=True),
    "release a wave": Decision(("release", "north"), "continued", wave_on_hold, of_wave=True),
    "stop": Decision(("stop", "north", *BECAUSE, "--confirm", "north"), "stopped", planned, of_wave=True),
    "run": Decision(("run", "north", "--patience", "0"), "begun", planned, of_wave=True),
}


def history(operator: Operator, *, of_wave: bool) -> list[tuple[str, str | None]]:
    """Kind and person of each event."""
    now = operator.harness.clock.now()
    if of_wave:
        rows = operator.with_app(lambda app: app.queries.waves.events("north"))
        return [(row.kind, row.by) for row in rows if row.at <= now]
    position = operator.position()
    events = operator.with_app(lambda app: app.queries.records.events(position.migration_id))
    return [(event.kind, event.facts.get("by")) for event in events if event.at <= now]


@pytest.mark.parametrize("name", DECISIONS)
def test_who_decided_stands_in_the_record(make_operator: MakeOperator, name: str) -> None:
    decision = DECISIONS[name]
    operator = make_operator(**decision.sandbox)
    if name == "import":
        operator.env["CUTOVER_OPERATOR"] = ANA
    operator.import_numbers(**decision.columns)
    decision.prepare(operator)
    operator.env["CUTOVER_OPERATOR"] = ANA
    typed = operator.newest_code() + "\n" if decision.typed == "newest" else decision.typed
    output = operator.cutover(*decision.verb, typed=typed)
    assert output.exit_code in (0, 3, 4), output.stderr
    found = history(operator, of_wave=decision.of_wave)
    assert (decision.kind, ANA) in found

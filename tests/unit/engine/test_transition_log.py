"""Each record of the engine is one line in the log, with the number, the step, the attempt and the run."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from migration.engine.decisions import Decision, advance, pass_over
from migration.runtime.log import extra_fields, log_to
from migration.steps.outcomes import Blocked, Evidence, Held, Reopen, Switch, Waiting
from state.enums import Party
from tests.harness.engine_in_memory import at_register
from tests.harness.hand_made_number import NOW, make_number
from tests.harness.hand_made_run import declared, make_attempt, make_run, move_of
from tests.harness.kept_log import Kept


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    with log_to(handler, "run-1"):
        yield handler


@pytest.mark.parametrize(
    ("decision", "event", "level"),
    [
        (advance(Evidence({})), "advanced", "INFO"),
        (pass_over("not possible"), "passed_over", "INFO"),
        (Decision(Waiting(NOW + timedelta(minutes=5), Party.META, "not yet")), "waiting", "INFO"),
        (Decision(Blocked("no", "runbooks/refused.md")), "blocked", "WARNING"),
        (Decision(Held("on hold")), "held", "INFO"),
        (Decision(Reopen("an_earlier", "it is stale")), "reopened", "INFO"),
        (Decision(Switch("FORWARD_RECOVERY", "closed")), "switched", "INFO"),
    ],
)
async def test_a_transition_is_one_line(kept: Kept, decision: Decision, event: str, level: str) -> None:
    run = make_run(earlier=(declared("an_earlier"),), attempt=make_attempt())
    state = make_number().state
    await move_of(run, decision)
    (record,) = kept.records
    fields = extra_fields(record)
    assert (fields["event"], record.levelname) == (event, level)
    assert (fields["number"], fields["step"], fields["run"]) == (state.ref, "the_step", "run-1")
    assert (fields["attempt"], fields["holder"]) == (make_attempt().number, "worker-1")
    assert {"masked", "itinerary", "wave"} <= set(fields)
    assert state.e164 not in f"{vars(record)}"


async def test_a_call_is_logged_when_its_intent_is_committed(kept: Kept) -> None:
    engine = at_register()
    await engine.executor.run_next(1)
    events = [getattr(record, "event", "") for record in kept.records]
    assert "intent" in events
    assert events.index("intent") < events.index("advanced")

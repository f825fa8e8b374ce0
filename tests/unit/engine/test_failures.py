"""What becomes of a call that was refused, of a dead token, of a failed reading and of a spent budget."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from migration.engine.decisions import Advance, Closing, Decision, advance, pass_over
from migration.engine.failures import FailurePolicy
from migration.engine.step_run import StepRun
from migration.errors import CredentialsRefused, Intercepted, Rejected, Throttled, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Evidence, Held, Reopen, Switch, Waiting
from state.enums import AttemptEnd, Party, Side
from state.errors import BudgetSpent
from state.queries.queries import Queries
from tests.harness.hand_made_number import NOW, make_number
from tests.harness.hand_made_run import declared, make_attempt, make_run

ATTEMPT = make_attempt()
REFUSED_PAGE = "runbooks/refused.md"
UNKNOWN_PAGE = "runbooks/unknown-outcome.md"
DOWN_PAGE = "runbooks/far-side-down.md"


class FakeRecords:
    def __init__(self, attempts: list[dict[str, Any]]) -> None:
        self._attempts = attempts

    async def last_refused(self, migration_id: int, step: str) -> Mapping[str, Any] | None:
        refused = [row for row in self._attempts if row["step"] == step and row["ended"] is AttemptEnd.REFUSED]
        return refused[-1] if refused else None

    async def last_number(self, migration_id: int, step: str) -> int:
        return max((row["number"] for row in self._attempts if row["step"] == step), default=0)


class FakeGate:
    def __init__(self, until: datetime | None) -> None:
        self._until = until
        self.asked: list[tuple[str, str]] = []

    async def budget_spent(self, phone_number_id: str, call: str) -> tuple[int, datetime | None]:
        self.asked.append((phone_number_id, call))
        return 7, self._until


class FakeQueries:
    def __init__(self, attempts: list[dict[str, Any]] | None = None, until: datetime | None = None) -> None:
        self.records = FakeRecords(attempts or [])
        self.gate = FakeGate(until)


def sides(answer: Side | Exception | None) -> Callable[[Number], Awaitable[Evidence]]:
    """Reads both sides. None: nobody may read them."""

    async def read(number: Number) -> Evidence:
        assert answer is not None, "the sides were read"
        if isinstance(answer, Exception):
            raise answer
        return Evidence({"onprem": "refused"}, side=answer)

    return read


def policy(
    side: Side | Exception | None = None,
    attempts: list[dict[str, Any]] | None = None,
    queries: FakeQueries | None = None,
) -> FailurePolicy:
    return FailurePolicy(cast(Queries, queries or FakeQueries(attempts)), sides(side))


def register_run(**state: Any) -> StepRun:
    return make_run(
        "register",
        number=make_number(**state),
        changes_side=True,
        moves_to=Side.CLOUD,
        budget="register",
        earlier=(declared("request_code"), declared("verify_code")),
        attempt=ATTEMPT,
    )


WRONG_PIN = Rejected("Graph: 133005", 133005, SafeText("Two step verification PIN mismatch"))
UNAVAILABLE = Transient("Graph: 131016", True)


# -- a call that was refused


async def test_a_refused_call_that_changes_no_side_reads_none() -> None:
    run = make_run("subscribe", attempt=ATTEMPT)
    decision = await policy().after_refusal(run, ATTEMPT, Rejected("Graph: 200", 200, SafeText("Permissions error")))
    assert decision == Decision(
        Blocked("subscribe was refused (200): Permissions error", REFUSED_PAGE),
        Closing(ATTEMPT, AttemptEnd.REFUSED, {"refused": "Graph: 200", "code": 200}),
    )


@pytest.mark.parametrize("exc", [WRONG_PIN, UNAVAILABLE, Rejected("133006", 133006, SafeText("verify first"))])
async def test_a_refused_register_that_shows_the_number_on_cloud_is_done(exc: Rejected | Transient) -> None:
    decision = await policy(Side.CLOUD).after_refusal(register_run(), ATTEMPT, exc)
    assert decision == advance(Evidence({"onprem": "refused", "answer": str(exc)}, side=Side.CLOUD), attempt=ATTEMPT)


@pytest.mark.parametrize("side", [Side.ON_PREMISES, Side.NEITHER, Side.UNKNOWN])
async def test_a_wrong_pin_blocks_with_the_side_that_was_read(side: Side) -> None:
    decision = await policy(side).after_refusal(register_run(), ATTEMPT, WRONG_PIN)
    assert decision == Decision(
        Blocked(
            "register was refused (133005): Two step verification PIN mismatch",
            "runbooks/wrong-pin.md",
            pin_refused=True,
        ),
        Closing(ATTEMPT, AttemptEnd.REFUSED, {"refused": "Graph: 133005", "code": 133005}),
        side=side,
    )


@pytest.mark.parametrize(
    "exc", [Transient("503"), Rejected("100", 100, SafeText("x")), CredentialsRefused("190", 190, SafeText("x"))]
)
async def test_a_refusal_is_recorded_also_where_the_sides_cannot_be_read(exc: Exception) -> None:
    """If it were forgotten, the same call would be sent again, and a wrong PIN with it."""
    decision = await policy(exc).after_refusal(register_run(), ATTEMPT, WRONG_PIN)
    assert isinstance(decision.outcome, Blocked)
    assert decision.closing is not None
    assert (decision.closing.end, decision.side) == (AttemptEnd.REFUSED, None)


async def test_an_exception_that_is_no_answer_of_a_side_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        await policy(KeyError("data")).after_refusal(register_run(), ATTEMPT, WRONG_PIN)


async def test_on_cloud_says_nothing_about_a_call_that_does_not_move_there() -> None:
    run = make_run("deregister_cloud", changes_side=True, moves_to=Side.NEITHER, attempt=ATTEMPT)
    decision = await policy(Side.CLOUD).after_refusal(run, ATTEMPT, Rejected("100", 100, SafeText("no")))
    assert isinstance(decision.outcome, Blocked)
    assert decision.side is Side.CLOUD


async def test_an_answer_that_says_come_back_waits_and_counts_as_a_failure() -> None:
    decision = await policy(Side.ON_PREMISES).after_refusal(register_run(tries=1), ATTEMPT, UNAVAILABLE)
    assert decision == Decision(
        Waiting(NOW + timedelta(seconds=4), Party.META, "Graph: 131016"),
        Closing(ATTEMPT, AttemptEnd.REFUSED, {"refused": "Graph: 131016", "code": None}),
        side=Side.ON_PREMISES,
        failed=True,
    )


async def test_a_refused_optional_step_is_passed_over() -> None:
    run = make_run("restore_profile", optional=True, attempt=ATTEMPT)
    decision = await policy().after_refusal(run, ATTEMPT, Rejected("100", 100, SafeText("invalid vertical")))
    assert decision == pass_over("restore_profile was refused (100): invalid vertical", ATTEMPT)


async def test_an_optional_step_that_is_told_to_wait_waits() -> None:
    run = make_run("restore_profile", optional=True, attempt=ATTEMPT)
    decision = await policy().after_refusal(run, ATTEMPT, Rejected("131057", 131057, SafeText("maintenance")))
    assert isinstance(decision.outcome, Waiting)
    assert decision.failed


async def test_terms_of_a_refusal_reach_the_table() -> None:
    """Subcode and the wait that the answer asks for."""
    run = make_run("request_code", attempt=ATTEMPT)
    exc = Rejected("136024", 136024, SafeText("too many"), 2388367, timedelta(hours=30))
    decision = await policy().after_refusal(run, ATTEMPT, exc)
    assert isinstance(decision.outcome, Waiting)
    assert decision.outcome.until == NOW + timedelta(hours=30)


# -- a refusal that sends back to an earlier step

VERIFY_FIRST = Rejected("Graph: 133006", 133006, SafeText("verify first"))


def attempts(*rows: tuple[str, AttemptEnd | None]) -> list[dict[str, Any]]:
    return [{"number": place, "step": step, "ended": ended} for place, (step, ended) in enumerate(rows, start=1)]


@pytest.mark.parametrize(
    ("earlier", "again"),
    [
        (attempts(("register", None)), True),
        (attempts(("register", AttemptEnd.REFUSED), ("request_code", AttemptEnd.DONE), ("register", None)), True),
        (attempts(("register", AttemptEnd.REFUSED), ("register", None)), False),
        (attempts(("register", AttemptEnd.NOT_DONE), ("register", None)), True),
        (attempts(("register", AttemptEnd.NEVER_LEFT), ("register", None)), True),
        (attempts(("register", AttemptEnd.REFUSED), ("verify_code", AttemptEnd.DONE), ("register", None)), False),
    ],
    ids=[
        "the first refusal",
        "a code was asked for since",
        "refused twice with nothing done between",
        "the earlier one had no effect",
        "the earlier one never left",
        "another step was done since",
    ],
)
async def test_a_call_is_not_refused_for_ever_for_a_step_that_finds_nothing_to_do(
    earlier: list[dict[str, Any]], again: bool
) -> None:
    run, attempt = register_run(), make_attempt(step="register")
    decision = await policy(Side.NEITHER, earlier).after_refusal(run, attempt, VERIFY_FIRST)
    reason = "register was refused (133006): verify first"
    if again:
        assert decision.outcome == Reopen("request_code", reason)
    else:
        assert decision.outcome == Blocked(f"{reason}; request_code found nothing to do", REFUSED_PAGE)
    assert not decision.failed


async def test_a_step_that_is_sent_back_to_itself_is_not_looked_up() -> None:
    run, attempt = make_run("verify_code"), make_attempt(step="verify_code")
    twice = attempts(("verify_code", AttemptEnd.REFUSED), ("verify_code", None))
    decision = await policy(None, twice).after_refusal(run, attempt, Rejected("136025", 136025, SafeText("wrong")))
    assert decision.outcome == Reopen("verify_code", "verify_code was refused (136025): wrong")


async def test_a_step_that_this_itinerary_does_not_have_is_not_reopened() -> None:
    run = make_run("register", changes_side=True)
    decision = await policy(Side.NEITHER).after_refusal(run, ATTEMPT, VERIFY_FIRST)
    assert decision.outcome == Blocked("register was refused (133006): verify first", REFUSED_PAGE)


# -- waits that grow


@pytest.mark.parametrize(("tries", "seconds"), [(0, 2), (1, 4), (2, 8), (3, 16), (5, 64), (6, 128)])
async def test_each_failure_waits_twice_as_long(tries: int, seconds: int) -> None:
    decision = policy().after_failed_reading(make_run(number=make_number(tries=tries)), Transient("503"))
    assert decision == Decision(Waiting(NOW + timedelta(seconds=seconds), Party.META, "503"), failed=True)


@pytest.mark.parametrize("exc", [Transient("hook: 503"), Throttled("hook: 503", timedelta(seconds=1))])
async def test_a_traffic_hook_that_does_not_answer_is_the_move_of_an_operator(exc: Transient) -> None:
    decision = policy().after_failed_reading(make_run(notifies_senders=True), exc)
    assert decision.outcome == Waiting(NOW + timedelta(seconds=2), Party.OPERATOR, "hook: 503")


@pytest.mark.parametrize("exc", [Transient("client: 503"), Throttled("client: 429", timedelta(seconds=1))])
async def test_a_client_that_does_not_answer_is_the_move_of_an_operator(exc: Transient) -> None:
    exc.whose_move = Party.OPERATOR
    decision = policy().after_failed_reading(make_run(), exc)
    assert decision.outcome == Waiting(NOW + timedelta(seconds=2), Party.OPERATOR, str(exc))


@pytest.mark.parametrize(("tries", "seconds"), [(7, 256), (8, 300), (9, 300), (1000, 300)])
async def test_a_number_that_has_crossed_is_tried_for_ever_every_five_minutes_at_least(
    tries: int, seconds: int
) -> None:
    run = make_run(number=make_number(tries=tries, crossed_at=NOW))
    decision = policy().after_failed_reading(run, Transient("503"))
    assert isinstance(decision.outcome, Waiting)
    assert decision.outcome.until == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("tries", "seconds", "until"), [(0, 1, 2), (0, 2, 2), (0, 90, 90), (20, 10, 300), (20, 900, 900)]
)
async def test_a_throttled_reading_waits_as_long_as_it_is_told_and_asks_nobody(
    tries: int, seconds: int, until: int
) -> None:
    run = make_run(number=make_number(tries=tries))
    decision = policy().after_failed_reading(run, Throttled("429", timedelta(seconds=seconds)))
    assert decision == Decision(Waiting(NOW + timedelta(seconds=until), Party.META, "429", for_calls=True), failed=True)


@pytest.mark.parametrize(("tries", "blocked"), [(5, False), (6, False), (7, True), (8, True)])
async def test_after_eight_failed_readings_a_person_is_asked(tries: int, blocked: bool) -> None:
    decision = policy().after_failed_reading(make_run("drain", number=make_number(tries=tries)), Transient("503"))
    if blocked:
        assert decision == Decision(Blocked(f"drain: 503 ({tries + 1} tries)", DOWN_PAGE), failed=True)
    else:
        assert isinstance(decision.outcome, Waiting)


@pytest.mark.parametrize(("tries", "passed_over"), [(1, False), (2, True)])
async def test_an_optional_step_is_passed_over_after_three_failed_readings(tries: int, passed_over: bool) -> None:
    run = make_run("drain", optional=True, number=make_number(tries=tries))
    decision = policy().after_failed_reading(run, Transient("503"))
    if passed_over:
        assert decision == pass_over("drain: 503 (3 tries)")
    else:
        assert isinstance(decision.outcome, Waiting)


@pytest.mark.parametrize("optional", [True, False])
async def test_while_an_attempt_is_open_a_failed_reading_leaves_its_outcome_unknown(optional: bool) -> None:
    run = make_run("register", optional=optional, number=make_number(tries=7), attempt=ATTEMPT)
    decision = policy().after_failed_reading(run, Transient("503"))
    assert decision == Decision(Blocked("register: the outcome is not known: 503", UNKNOWN_PAGE), failed=True)
    assert decision.closing is None


@pytest.mark.parametrize(("tries", "seconds"), [(0, 60), (4, 60), (5, 64), (6, 128)])
async def test_a_wait_of_the_table_grows_too(tries: int, seconds: int) -> None:
    run = make_run("subscribe", number=make_number(tries=tries))
    decision = await policy().after_refusal(run, ATTEMPT, Rejected("131057", 131057, SafeText("maintenance")))
    assert isinstance(decision.outcome, Waiting)
    assert decision.outcome.until == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(("tries", "blocked"), [(6, False), (7, True)])
async def test_a_wait_of_the_table_that_comes_eight_times_asks_a_person(tries: int, blocked: bool) -> None:
    run = make_run("send_smoke", number=make_number(tries=tries))
    decision = await policy().after_refusal(run, ATTEMPT, Rejected("133010", 133010, SafeText("not registered")))
    if blocked:
        reason = "send_smoke was refused (133010): not registered (8 times)"
        assert decision.outcome == Blocked(reason, "runbooks/smoke-failed.md")
    else:
        assert isinstance(decision.outcome, Waiting)


# -- a reading that was refused


async def test_a_refused_reading_blocks_and_closes_nothing() -> None:
    decision = policy().after_refused_reading(make_run("snapshot"), Rejected("100", 100, SafeText("does not exist")))
    assert decision == Decision(Blocked("snapshot was refused (100): does not exist", REFUSED_PAGE))


async def test_a_refused_reading_of_an_optional_step_passes_it_over() -> None:
    run = make_run("snapshot", optional=True)
    decision = policy().after_refused_reading(run, Rejected("100", 100, SafeText("does not exist")))
    assert decision == pass_over("snapshot was refused (100): does not exist")


async def test_with_an_open_attempt_an_optional_step_is_not_passed_over() -> None:
    run = make_run("back_up", optional=True, attempt=ATTEMPT)
    decision = policy().after_refused_reading(run, Rejected("100", 100, SafeText("x")))
    assert decision == Decision(Blocked("back_up was refused (100): x", "runbooks/no-backup.md"))


@pytest.mark.parametrize("attempt_open", [True, False])
@pytest.mark.parametrize(
    ("step", "exc", "outcome"),
    [
        (
            "register",
            VERIFY_FIRST,
            Reopen("request_code", "register was refused (133006): verify first"),
        ),
        (
            "restore_onprem",
            Rejected("1005", 1005, SafeText("reg_blocked")),
            Switch("FORWARD_RECOVERY", "restore_onprem was refused (1005): reg_blocked"),
        ),
    ],
)
async def test_the_cursor_stays_at_a_step_whose_call_is_open(
    step: str, exc: Rejected, outcome: Reopen | Switch, attempt_open: bool
) -> None:
    run = make_run(step, attempt=ATTEMPT if attempt_open else None, earlier=(declared("request_code"),))
    decision = policy().after_refused_reading(run, exc)
    assert decision == Decision(Blocked(outcome.because, UNKNOWN_PAGE) if attempt_open else outcome)


# -- credentials


TOKEN = CredentialsRefused("Graph: 190", 190, SafeText("session has expired"))
LOGIN = CredentialsRefused("wa-0001: 401", 1005, SafeText("wrong password"), refused_by="onprem")


@pytest.mark.parametrize("optional", [True, False])
async def test_a_dead_token_halts_its_profile_and_holds_the_number(optional: bool) -> None:
    decision = policy().after_refused_credentials(make_run(optional=optional), TOKEN)
    because = "Graph refused the token (code 190)"
    assert decision == Decision(Held(f"credential profile main is halted: {because}", halts_profile_because=because))


@pytest.mark.parametrize("exc", [TOKEN, LOGIN])
async def test_a_call_that_was_refused_for_its_credentials_gives_the_side_back_where_its_client_serves(
    exc: CredentialsRefused,
) -> None:
    decision = policy().after_refused_credentials(make_run(attempt=ATTEMPT), exc, ATTEMPT)
    assert decision.closing == Closing(ATTEMPT, AttemptEnd.REFUSED, side_before=Side.ON_PREMISES)
    assert decision.side is None


@pytest.mark.parametrize("exc", [TOKEN, LOGIN])
async def test_a_refused_reading_tells_nothing_about_an_open_attempt(exc: CredentialsRefused) -> None:
    decision = policy().after_refused_credentials(make_run(attempt=ATTEMPT), exc)
    assert decision.closing is None


async def test_a_refused_login_blocks_the_number_of_that_client_only() -> None:
    decision = policy().after_refused_credentials(make_run(), LOGIN)
    assert decision == Decision(
        Blocked("instance wa-0001 refuses the login: wrong password", "runbooks/onprem-login.md")
    )


async def test_a_login_of_a_number_without_an_instance_on_record() -> None:
    decision = policy().after_refused_credentials(make_run(number=make_number(instance=None)), LOGIN)
    assert isinstance(decision.outcome, Blocked)
    assert decision.outcome.reason == "instance ? refuses the login: wrong password"


@pytest.mark.parametrize(
    ("attempt_open", "was_the_call", "passed_over"),
    [(False, False, True), (True, True, True), (True, False, False)],
    ids=["a reading", "the call itself", "a reading while a call is open"],
)
async def test_a_refused_login_passes_an_optional_step_over(
    attempt_open: bool, was_the_call: bool, passed_over: bool
) -> None:
    run = make_run("back_up", optional=True, attempt=ATTEMPT if attempt_open else None)
    decision = policy().after_refused_credentials(run, LOGIN, ATTEMPT if was_the_call else None)
    reason = "instance wa-0001 refuses the login: wrong password"
    if passed_over:
        side_before = Side.ON_PREMISES if was_the_call else None
        assert decision == pass_over(reason, ATTEMPT if was_the_call else None, side_before=side_before)
    else:
        assert decision == Decision(Blocked(reason, "runbooks/onprem-login.md"))


# -- a call that did not leave


async def test_a_call_that_did_not_leave_costs_nothing_and_the_side_is_what_it_was() -> None:
    decision = policy().after_unsent(register_run(), ATTEMPT, Transient("too late to send"))
    assert decision == Decision(
        Waiting(NOW + timedelta(seconds=2), Party.META, "too late to send"),
        Closing(ATTEMPT, AttemptEnd.NEVER_LEFT, side_before=Side.ON_PREMISES),
        failed=True,
    )


async def test_a_call_that_eight_times_did_not_leave_asks_a_person() -> None:
    decision = policy().after_unsent(register_run(tries=7), ATTEMPT, Transient("connection refused"))
    assert decision.outcome == Blocked("register: connection refused (8 tries)", DOWN_PAGE)
    assert decision.closing == Closing(ATTEMPT, AttemptEnd.NEVER_LEFT, side_before=Side.ON_PREMISES)


async def test_an_optional_step_whose_call_three_times_did_not_leave_is_passed_over() -> None:
    """It blocked the number, which can go on without it."""
    for tries, passed in ((0, False), (1, False), (2, True)):
        run = make_run("restore_onprem", number=make_number(tries=tries), optional=True, changes_side=True)
        decision = policy().after_unsent(run, ATTEMPT, Transient("connection refused"))
        if passed:
            why = "restore_onprem: connection refused (3 tries)"
            end = AttemptEnd.NEVER_LEFT
            assert decision == pass_over(why, ATTEMPT, end, side_before=Side.ON_PREMISES)
        else:
            assert isinstance(decision.outcome, Waiting)


@pytest.mark.parametrize("side", [Side.ON_PREMISES, Side.NEITHER])
async def test_an_optional_step_that_is_refused_keeps_the_side_that_was_read(side: Side) -> None:
    """Its intent took the side away; without the reading it stayed unknown."""
    run = make_run("restore_onprem", optional=True, changes_side=True, attempt=ATTEMPT)
    decision = await policy(side).after_refusal(run, ATTEMPT, Rejected("100", 100, SafeText("no such backup")))
    assert isinstance(decision.outcome, Advance)
    assert (decision.outcome.event, decision.outcome.evidence.side) == ("passed_over", side)


# -- a spent budget

SPENT = BudgetSpent("only the reserve of 3 register calls is left in this moving 72 h")
BUDGET_PAGE = "runbooks/budget-spent.md"
UNTIL = NOW + timedelta(hours=5)


@pytest.mark.parametrize(
    ("side", "until", "waits"),
    [
        (Side.ON_PREMISES, UNTIL, True),
        (Side.ON_PREMISES, None, False),
        (Side.NEITHER, UNTIL, False),
        (Side.UNKNOWN, UNTIL, False),
        (Side.CLOUD, UNTIL, False),
    ],
)
async def test_a_spent_budget_waits_only_while_on_premises_serves(
    side: Side, until: datetime | None, waits: bool
) -> None:
    queries = FakeQueries(until=until)
    decision = await policy(queries=queries).after_spent_budget(register_run(side=side), SPENT, None)
    if waits:
        assert decision == Decision(Waiting(UNTIL, Party.OPERATOR, f"{SPENT}; see {BUDGET_PAGE}"))
    else:
        assert decision == Decision(Blocked(str(SPENT), BUDGET_PAGE))
    assert queries.gate.asked == [("106500001", "register")]


async def test_a_repeat_that_the_budget_does_not_allow_closes_the_earlier_attempt_with_the_side_of_now() -> None:
    decision = await policy(Side.NEITHER).after_spent_budget(register_run(side=Side.UNKNOWN), SPENT, ATTEMPT)
    assert decision == Decision(
        Blocked(str(SPENT), BUDGET_PAGE), Closing(ATTEMPT, AttemptEnd.NOT_DONE), side=Side.NEITHER
    )


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("open_attempt", [False, True])
async def test_a_proxy_that_refuses_in_graph_s_place_blocks_no_number(*, optional: bool, open_attempt: bool) -> None:
    """Every number meets it at each call: blocked one by one, each would need a person when it is mended."""
    run = make_run(number=make_number(tries=40), optional=optional, attempt=ATTEMPT if open_attempt else None)
    decision = policy().after_failed_reading(run, Intercepted("HTTP 401; not Graph's own answer", True))
    assert isinstance(decision.outcome, Waiting)
    assert decision.outcome.on is Party.OPERATOR
    assert decision.outcome.until <= NOW + timedelta(minutes=5)

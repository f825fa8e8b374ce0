"""No code is asked for, and nothing is paused or stopped for one, before somebody is at the phone to hear it."""

from datetime import datetime, timedelta

from migration.clients.shared_readings import CODE_AGE
from migration.engine.step_run import StepRun
from migration.steps.both_sides import cached_sides, cloud_before_crossing
from migration.steps.code_requests import BEFORE_DARK, DAY, came_to_nothing, cooling_until, next_look, somebody_is_ready
from migration.steps.outcomes import Waiting
from migration.steps.request_code import outstanding
from state.code_steps import REQUEST_STEPS
from state.enums import Codes, Party, Side
from state.ledger.code_pacing import PACED
from state.ledger.readiness import NOBODY
from state.queries.queries import Queries
from state.rows import Position

# A number for which too many codes are on their way: longer than a worker keeps it in hand.
LOOKED_AT_AGAIN = timedelta(seconds=45)


class PersonAtThePhone:
    """`codes_per_operator`: how many codes one on duty can type at once; 0: no limit."""

    def __init__(self, queries: Queries, codes_per_operator: int) -> None:
        self._queries = queries
        self._codes_per_operator = codes_per_operator

    async def missing(self, run: StepRun) -> Waiting | None:
        """What to wait for before this step, or None. Sets what the intent has to find true when it is committed."""
        state, now = run.number.state, run.number.now
        if not run.itinerary.needs_person(run.entry.name) or _may_come_back_without(run):
            return None
        ahead = timedelta() if run.entry.name in REQUEST_STEPS else BEFORE_DARK
        wait = await self._wait(state, now, ahead)
        if wait is None:
            run.person_for = ahead
            return await self._paced(run)
        return wait if await _needs_code(run) else None  # Graph is asked last: the calls of a cutover are counted

    async def _wait(self, state: Position, now: datetime, ahead: timedelta) -> Waiting | None:
        if not somebody_is_ready(state, now, ahead):
            return Waiting(next_look(state, now), Party.CUSTOMER, f"{NOBODY}; `cutover ask-code {state.ref}`")
        requests = await self._queries.people.code_requests(state.number_id)
        if came_to_nothing(state, requests, now):
            return Waiting(now + DAY, Party.CUSTOMER, f"{NOBODY}; `cutover ask-code {state.ref}`")
        cooling = cooling_until(requests, now)
        if cooling is not None:
            return Waiting(cooling, Party.US, "cooling down before another code is asked for")
        return None

    async def _paced(self, run: StepRun) -> Waiting | None:
        """What is dark waits for nobody's typing, nor does a customer in its own room, nor a wave that asks at once."""
        state = run.number.state
        if state.wave_codes == Codes.AT_ONCE:  # somebody is at every phone
            return None
        at_home = state.ready_how == "room" and state.ready_until is not None and state.ready_until >= run.number.now
        if not self._codes_per_operator or at_home or state.crossed_at is not None or state.side is Side.NEITHER:
            return None
        on_duty = {shift.operator for shift in await self._queries.people.on_duty()}
        limit = len(on_duty) * self._codes_per_operator
        if not on_duty:  # whoever keeps no roster has not said how many there are
            return None
        if not await self._queries.people.codes_are_full(state.migration_id, limit):
            run.code_limit = limit
            return None
        why = f"{PACED}: {limit} at once"
        needed = await _needs_code(run)
        return Waiting(run.number.now + LOOKED_AT_AGAIN, Party.OPERATOR, why) if needed else None


def _may_come_back_without(run: StepRun) -> bool:
    """On its way back and not served by Cloud: its client may serve it once it is started, and nothing is stopped."""
    stops_nothing = run.entry.name not in REQUEST_STEPS and run.number.state.side is not Side.CLOUD
    return stops_nothing and run.itinerary.goes_to is Side.ON_PREMISES


async def _needs_code(run: StepRun) -> bool:
    """Not for a number that is verified, that has a code which is still good, or whose backup can bring it back."""
    number, name = run.number, run.entry.name
    requests = [entry.name for entry in run.itinerary.steps if entry.name in REQUEST_STEPS]
    onprem = "request_code_onprem" in requests
    if any(outstanding(number, request) for request in requests):
        return False
    if not onprem:
        return (await cloud_before_crossing(number, CODE_AGE)).code_verification_status != "VERIFIED"
    if name == "request_code_onprem":
        return not (await cached_sides(number)).serving
    return await number.secrets.open("backup") is None

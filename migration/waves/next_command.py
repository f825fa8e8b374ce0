"""The command that an operator types next for a number: on every screen, in every message.

Pure functions: `now` is the database's time, aware, in UTC.
"""

from collections.abc import Sequence
from datetime import datetime

from migration.engine.dead_workers import lost_its_worker
from migration.engine.itineraries import ItineraryName
from migration.steps.terms_statement import TERMS_UNKNOWN, terms_command
from state.code_steps import VERIFY_STEPS
from state.enums import Released, Status, WaveState
from state.ledger.readiness import NOBODY, WAITS_FOR_PERSON_BEFORE
from state.proof import ACCOUNT_REPORTED
from state.rows import AnyPosition, WaveRow

NO_COMMAND = "-"


def current_status(position: AnyPosition, now: datetime) -> Status:
    """The status that is true now: a running number that nobody is working on is ready."""
    return Status.READY if lost_its_worker(position, now) else position.status


def wait_is_over(position: AnyPosition, now: datetime) -> bool:
    """The end of its wait has passed, and no worker has taken it since."""
    return position.status is Status.WAITING and (position.waiting_until is None or position.waiting_until <= now)


def acts_until(position: AnyPosition, now: datetime) -> datetime | None:
    """The end of its wait, while it lies ahead. Of a held number nothing ends then: it is only looked at again."""
    until = position.waiting_until
    return until if position.status is Status.WAITING and until is not None and until > now else None


def waits_for_person(position: AnyPosition) -> bool:
    """Nobody is at its phone, so no code of it is asked for."""
    waits = position.status in (Status.WAITING, Status.HELD) and position.next_step in WAITS_FOR_PERSON_BEFORE
    return waits and (position.reason or "").startswith(NOBODY)


def next_command(position: AnyPosition, now: datetime) -> str:
    """The command that an operator types next; NO_COMMAND once the migration has ended."""
    status = current_status(position, now)
    runbook = next_runbook(position, now)
    if position.ended_at is not None:
        return NO_COMMAND
    if runbook is not None:
        return f"cutover runbook {runbook} {position.ref}"
    if waits_for_person(position):
        return f"cutover ask-code {position.ref}"
    if wait_is_over(position, now):
        return _command_to_move(position, now, position.ref)
    if status is Status.WAITING and (position.reason or "").startswith(TERMS_UNKNOWN):
        return terms_command(position.ref)
    if status is Status.WAITING and position.next_step in VERIFY_STEPS:
        return f"cutover enter-code {position.ref}"
    if status in (Status.HELD, Status.READY):
        return _command_to_continue(position, status, now)
    return f"cutover show {position.ref}"


def next_runbook(position: AnyPosition, now: datetime) -> str | None:
    """The runbook that an operator has to follow before the number can continue, or None."""
    status = current_status(position, now)
    if position.ended_at is not None:
        return None
    if status is Status.BLOCKED:
        return runbook_name(position.runbook)
    goes_on = status in (Status.HELD, Status.READY) or wait_is_over(position, now)
    if goes_on and position.profile_halted_at is not None:
        return "token-refused"
    return None


def _command_to_continue(position: AnyPosition, status: Status, now: datetime) -> str:
    """For a ready or held number: the command that opens its gate or, if the gate is open, that moves the number."""
    if position.crossed_at is not None or position.itinerary == ItineraryName.ABORT:
        return _command_to_move(position, now, position.ref)  # neither a hold nor its wave stops it any more
    if position.hold or (status is Status.HELD and (position.reason or "").startswith(ACCOUNT_REPORTED)):
        return f"cutover release {position.ref}"
    blocked_by_wave = _command_to_open_wave(position, now)
    if blocked_by_wave is not None:
        return blocked_by_wave
    if position.held_for is not None:
        return _command_for_the_other(position.held_for, position.held_for_page)
    if position.wave is None or (status is Status.READY and position.wave_state == WaveState.PLANNED):
        # A command about one number must not begin a whole wave.
        return _command_to_move(position, now, position.ref)
    return _command_to_move(position, now, position.wave)


def _command_for_the_other(ref: str, page: str | None) -> str:
    """Running a number does not help while another one's failure holds it: that one has to go on first."""
    return f"cutover show {ref}" if page is None else f"cutover runbook {runbook_name(page)} {ref}"


def _command_to_move(position: AnyPosition, now: datetime, name: str) -> str:
    """A sweep takes over what a worker left behind, but never a number of a wave that is only planned."""
    left = lost_its_worker(position, now) or wait_is_over(position, now)
    if left and position.wave_state != WaveState.PLANNED:
        return "cutover sweep"
    return f"cutover run {name}"


def _command_to_open_wave(position: AnyPosition, now: datetime) -> str | None:
    """The command that lets the number's wave continue; None if the wave does not stop the number."""
    if position.wave is None:
        return None
    if position.wave_state == WaveState.STOPPED:
        return f'cutover abort {position.ref} --because "..."'
    if position.window_end is not None and position.window_end <= now:
        return extend_window_command(position.wave)
    held = position.wave_state in (WaveState.HELD, WaveState.HALTED)
    if held or (position.status is Status.HELD and not is_released(position, position.wave_released)):
        named, canary = (position.ref,) if position.released_by_name else (), bool(position.wave_canary_size)
        return release_command(position.wave, position.wave_state, position.wave_released, named, has_canary=canary)
    return None


def is_released(position: AnyPosition, released: str | None) -> bool:
    """Whether a number may cross by what people have released of its wave; `released` is the part of the wave."""
    in_part = released == Released.ALL or (released == Released.CANARY and position.canary)
    return in_part or position.released_by_name


def release_command(
    wave: str, state: str | None, released: str | None, named: Sequence[str], *, has_canary: bool
) -> str:
    """The command that opens a wave again, no wider than it was: the canary comes before the rest.

    `named`: numbers that a release named and that have yet to cross.
    """
    stands = state in (WaveState.HELD, WaveState.HALTED)
    if stands and named and released != Released.ALL:
        return f"cutover release {wave}" + "".join(f" --only {ref}" for ref in named)
    narrow = released == Released.NONE or (stands and released == Released.CANARY)
    return f"cutover release {wave}{' --canary' if narrow and has_canary else ''}"


def release_of(row: WaveRow) -> str:
    """As `release_command`, of a wave."""
    return release_command(row.name, row.state, row.released, row.named_left, has_canary=bool(row.canary))


def extend_window_command(wave: str) -> str:
    """The command for a wave whose window has ended."""
    return f'cutover plan {wave} --to "YYYY-MM-DD HH:MM"'


def runbook_name(path: str | None) -> str:
    """`runbooks/wrong-pin.md` becomes `wrong-pin`, the name that `cutover runbook` takes."""
    return (path or "runbooks/refused.md").removeprefix("runbooks/").removesuffix(".md")

"""Where one number stands and what to type next, in words. The same words in `status`, `show`, `demo` and the UI."""

from datetime import datetime

from migration.clients.masking import masked
from migration.engine.itineraries import ItineraryName
from state.enums import Party, Released, Side, Status, WaveState
from state.queries import WaveRow
from state.rows import Position


def number_label(at: Position) -> str:
    """Reference and masked number, as every message names it."""
    return f"{at.ref} ({masked(at.e164)})"


def current_status(at: Position, now: datetime) -> Status:
    """What the status means now: a run whose lease has ended is nobody's any more, so it is ready."""
    if at.status is Status.RUNNING and (at.lease_until is None or at.lease_until <= now):
        return Status.READY
    return at.status


def dark_seconds(at: Position, now: datetime) -> float | None:
    """Seconds since the number may have been on neither side; None while it is on one."""
    if at.dark_since is None or at.side in (Side.CLOUD, Side.ON_PREMISES):
        return None
    return max((now - at.dark_since).total_seconds(), 0.0)


def outage_text(at: Position, now: datetime) -> str:
    """The outage of our making, or that the number came dark."""
    dark = dark_seconds(at, now)
    if dark is not None:
        return f"{'DARK' if at.dark_by_us else 'dark on arrival'} {duration_text(dark)}"
    return f"{at.outage_seconds:.1f} s" if at.outage_seconds is not None else "-"


def duration_text(seconds: float) -> str:
    """`95` becomes `1 min 35 s`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def whose_move(at: Position, now: datetime) -> str:
    status = current_status(at, now)
    if at.ended_at is not None:
        return "-"
    if status in (Status.READY, Status.RUNNING):
        return Party.US.value
    return at.waiting_on.value if at.waiting_on else Party.OPERATOR.value


def next_command(at: Position, now: datetime) -> str:
    """What an operator types next, or nothing where there is nothing to type."""
    status = current_status(at, now)
    if at.ended_at is not None:
        return "-"
    if status is Status.BLOCKED:
        return f"cutover runbook {runbook_name(at.runbook)} {at.ref}"
    if status is Status.WAITING and at.next_step in ("verify_code", "verify_code_onprem"):
        return f"cutover enter-code {at.ref}"
    if status in (Status.HELD, Status.READY):
        return _onward(at, status, now)
    return f"cutover show {at.ref}"


def _onward(at: Position, status: Status, now: datetime) -> str:
    """For a number that may be moved, or that a gate holds: what opens the gate, else what moves it."""
    if at.profile_halted_at is not None:
        return f"cutover runbook token-refused {at.ref}"
    if at.crossed_at is not None or at.itinerary == ItineraryName.ABORT:
        return f"cutover run {at.ref}"  # no hold and no wave keeps it from its end
    if at.hold:
        return f"cutover release {at.ref}"
    shut = _shut(at, now)
    if shut is not None:
        return shut
    if at.wave is None or (status is Status.READY and at.wave_state == WaveState.PLANNED):
        return f"cutover run {at.ref}"  # advice about one number begins no wave
    return f"cutover run {at.wave}"


def _shut(at: Position, now: datetime) -> str | None:
    """What lets this number's wave go on, where the wave keeps it."""
    if at.wave is None:
        return None
    if at.wave_state == WaveState.STOPPED:
        return f'cutover abort {at.ref} --because "..."'
    if at.window_end is not None and at.window_end <= now:
        return extend_window_command(at.wave)
    released = at.wave_released == Released.ALL or (at.wave_released == Released.CANARY and at.canary)
    held = at.wave_state in (WaveState.HELD, WaveState.HALTED)
    if held or (at.status is Status.HELD and not released):
        return f"cutover release {at.wave}"
    return None


def next_wave_command(row: WaveRow, now: datetime) -> str:
    """What an operator types next for a wave, or nothing where it is over."""
    if row.state in (WaveState.STOPPED, WaveState.DONE):
        return "-"
    if row.window_end is not None and row.window_end <= now:
        return extend_window_command(row.name)
    if row.state in (WaveState.HELD, WaveState.HALTED) or row.released == Released.NONE:
        return f"cutover release {row.name}"
    return f"cutover run {row.name}"


def extend_window_command(wave: str) -> str:
    """For a wave whose window is over."""
    return f'cutover plan {wave} --to "YYYY-MM-DD HH:MM"'


def runbook_name(runbook: str | None) -> str:
    """`runbooks/wrong-pin.md` becomes `wrong-pin`, the name that `cutover runbook` takes."""
    return (runbook or "runbooks/refused.md").removeprefix("runbooks/").removesuffix(".md")


def status_line(at: Position, now: datetime) -> str:
    """One sentence: what is true and why."""
    status = current_status(at, now)
    reason = f": {at.reason}" if at.reason and at.ended_at is None else ""
    return f"{number_label(at)} is {status} at {at.next_step or 'its end'}, side {at.side}{reason}"

"""The sentences that describe a wave, and the command to type next for it.

Pure functions: `now` is the database's time, aware, in UTC.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from migration.engine.itineraries import ItineraryName
from migration.operations.proof_wording import mode_text
from migration.waves.next_command import extend_window_command, is_released, release_of
from migration.waves.window import window_of
from state.enums import Codes, Released, WaveState
from state.ledger.gates import release_of_number, released_for
from state.rows import AnyPosition, Position, WaveEventRow, WaveRow

MAX_SHOWN = 10  # numbers of a canary in one line; JSON has all of them
ENDED_STATES = (WaveState.STOPPED, WaveState.DONE)


def wave_line(row: WaveRow) -> str:
    """One sentence: the wave's state, size, release, numbers on hold and window."""
    reason = f": {row.because}" if row.because else ""
    numbers = f"{row.numbers} number{'' if row.numbers == 1 else 's'}"
    window = ""
    if row.window_start is not None or row.window_end is not None:
        start, end = (
            f"{time:%Y-%m-%d %H:%M}" if time is not None else "open" for time in (row.window_start, row.window_end)
        )
        window = f", window {start} to {end} UTC ({row.time_zone})"
    proofs = mode_text(row.smoke, row.smoke_canary, row.smoke_hours)
    released = f"{released_text(row)}{codes_text(row)}{proofs}{window}"
    return f"wave {row.name} is {row.state}{reason}; {numbers}{canary_text(row)}, {released}"


def codes_text(row: WaveRow) -> str:
    """Only where it is not the default: it makes phones ring that nobody may be at."""
    return ", codes at once" if row.codes is Codes.AT_ONCE else ""


def canary_text(row: WaveRow) -> str:
    """Which numbers are the canary; all that may cross before the rest of the wave."""
    if not row.canary:
        return f", a canary of {row.canary_size}" if row.canary_size else ""
    return f", canary {_some_of(row.canary)}"


def _some_of(refs: Sequence[str]) -> str:
    more = f" and {len(refs) - MAX_SHOWN} more" if len(refs) > MAX_SHOWN else ""
    return f"{', '.join(refs[:MAX_SHOWN])}{more}"


def wave_text(position: AnyPosition) -> str | None:
    """A number's wave, and what it is in it."""
    parts = [position.wave, "in its canary" if position.canary else None]
    return ", ".join(filter(None, [*parts, "released by name" if position.released_by_name else None])) or None


def released_text(row: WaveRow) -> str:
    """What is released. What wins over it (the wave's own state, holds of single numbers) stands beside it."""
    released = f"released for {_parts_text(row)}{_holds_text(row)}"
    if row.state in (WaveState.HELD, WaveState.HALTED):
        return f"nothing crosses while it is {row.state} ({released} when it goes on)"
    if row.state is WaveState.STOPPED:
        return "nothing crosses any more"
    return released


def _parts_text(row: WaveRow) -> str:
    """The part of the wave, and what a release named."""
    if not row.named or row.released == Released.ALL:
        return row.released
    names = f"{_some_of(row.named)} by name"
    return names if row.released == Released.NONE else f"{row.released} and for {names}"


def _holds_text(row: WaveRow) -> str:
    if not row.on_hold or row.state in ENDED_STATES:
        return ""
    numbers = "1 number of it is" if row.on_hold == 1 else f"{row.on_hold} numbers of it are"
    return f"; {numbers} on hold and may not cross: a hold wins over any release"


def gate_text(position: AnyPosition, now: datetime) -> str | None:
    """Whether the number may cross by what people have decided, and which decision wins; None once it has crossed."""
    if position.crossed_at is not None or position.ended_at is not None:
        return None
    if position.itinerary == ItineraryName.ABORT:
        return "no: its migration is being ended"
    if position.hold:
        over = f"the release of wave {position.wave} {_release_text(position)}"
        return f"no: it is on hold{f', which wins over {over}' if position.wave is not None else ''}"
    if position.profile_halted_at is not None:
        return "no: its credential profile is halted"
    if position.wave is None:
        return "yes: neither a hold nor a wave stops it"
    return _gate_of_wave(position, now)


def _gate_of_wave(position: AnyPosition, now: datetime) -> str:
    wave, released = position.wave, _release_text(position)
    if position.wave_state in (WaveState.HELD, WaveState.HALTED, WaveState.STOPPED):
        return f"no: wave {wave} is {position.wave_state}, which wins over its release {released}"
    if not is_released(position, position.wave_released):
        return f"no: wave {wave} is {released_for(position.wave_released)}"
    if position.wave_state == WaveState.PLANNED:
        return f"not yet: wave {wave} has not begun; it is released {released}"
    if position.window_end is not None and position.window_end <= now:
        return f"no: the window of wave {wave} ended at {position.window_end:%Y-%m-%d %H:%M} UTC"
    if position.window_start is not None and position.window_start > now:
        return f"not yet: the window of wave {wave} begins at {position.window_start:%Y-%m-%d %H:%M} UTC"
    return f"yes: wave {wave} is {position.wave_state} and released {released}"


def _release_text(position: AnyPosition) -> str:
    return release_of_number(position.wave_released, by_name=position.released_by_name)


def wave_event_text(event: WaveEventRow) -> str:
    """One decision about a wave: what, by whom, why, and what was changed by it."""
    facts = "; ".join(
        f"{name} {_value_text(value)}" for name, value in event.facts.items() if value not in (None, [], {})
    )
    reason = f": {event.because}" if event.because else ""
    return f"{event.kind.replace('_', ' ')} by {event.by}{reason}{f' ({facts})' if facts else ''}"


def wave_event_document(event: WaveEventRow) -> dict[str, Any]:
    """One decision about a wave as JSON."""
    return {"at": event.at, "kind": event.kind, "by": event.by, "because": event.because, "facts": event.facts}


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {item if item is not None else 'none'}" for name, item in value.items())
    return str(value)


def next_wave_command(row: WaveRow, now: datetime) -> str | None:
    """The command that an operator types next for a wave; None once the wave has ended."""
    if row.state in ENDED_STATES:
        return None
    if row.window_end is not None and row.window_end <= now:
        return extend_window_command(row.name)
    closed = row.released == Released.NONE and not row.named_left
    if row.state in (WaveState.HELD, WaveState.HALTED) or closed:
        return release_of(row)
    return f"cutover run {row.name}"


def window_ended_message(row: WaveRow, now: datetime) -> str | None:
    """When the wave's window ended, and the command that extends it; None while the window has not ended."""
    if row.window_end is None or row.window_end > now:
        return None
    end = window_of(row).local(row.window_end)
    return f"the window of wave {row.name} ended at {end}; `{extend_window_command(row.name)}` gives it more time"


def unscheduled_waves(waves: Sequence[WaveRow], board: Sequence[Position], now: datetime) -> dict[str, str]:
    """Waves with live numbers that no schedule will begin: the wave's name and the reason."""
    live_waves = {position.wave for position in board if position.ended_at is None}
    live = [row for row in waves if row.name in live_waves and row.state not in ENDED_STATES]
    return {row.name: reason for row in live if (reason := _why_unscheduled(row, now)) is not None}


def _why_unscheduled(row: WaveRow, now: datetime) -> str | None:
    ended = window_ended_message(row, now)
    if ended is not None:
        return ended
    if row.state in (WaveState.HELD, WaveState.HALTED):
        return f"wave {row.name} is {row.state}; `{release_of(row)}` lets it go"
    if row.window_start is None:
        return f"wave {row.name} has no start; `cutover run {row.name}` begins it"
    return None  # it has a schedule, or `cutover deploy` begins what is late at once

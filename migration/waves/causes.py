"""What a person has to know of, found in our own record: no far side is asked, nothing is changed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from migration.engine.dead_workers import lost_its_worker
from migration.notify.notify_targets import CauseKind
from migration.scrubbing.masking import masked
from migration.waves.next_command import extend_window_command, next_command, release_of
from migration.waves.proof_causes import proof_causes
from state.code_steps import VERIFY_STEPS
from state.enums import Party, Side, Status, WaveState
from state.notices import NUMBERS, FoundCause
from state.rows import Position, WaveRow

# A cutover that goes well is dark for less: nobody is woken for it.
DARK_BY_DESIGN = timedelta(seconds=45)  # a pass of messages begins every 10 s: it is told within 60 s
CODE_ENDS_WITHIN = timedelta(minutes=3)
WINDOW_ENDS_WITHIN = timedelta(minutes=30)
SIGNUP_ENDS_WITHIN = timedelta(days=2)
ENDED_FOR = timedelta(days=1)  # a window with numbers left
FINISHED_FOR = timedelta(days=1)  # a target that is named later is not told of all waves there ever were
LEFT_LATELY = timedelta(minutes=2)  # so long it is told that a worker has exited, also where another has gone on
_LEFT = f"a worker has gone and left {NUMBERS} ({{wave}})"
_DARK, _MAY_BE_DARK = "dark, on neither side", "perhaps dark, it is not known on which side"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def find_causes(
    positions: Sequence[Position],
    waves: Sequence[WaveRow],
    halted: Iterable[Mapping[str, Any]],
    now: datetime,
    to_tell: Sequence[Position] = (),
    left: Sequence[Position] = (),
    *,
    known_dark: Collection[str] = (),
    leaving: bool = False,
) -> tuple[FoundCause, ...]:
    """`positions`: those of `needing_attention`; `halted`: credential profiles with `name` and `halted_because`.

    `to_tell`: numbers of which webhooks have shown something, or have not shown it in time. `left`: numbers that a
    worker has left a short time ago by exiting, whoever has taken them since. `known_dark`: references
    of numbers that were told to be dark; they are so until a side serves them. `leaving`: whoever asks ends with this
    look, and nobody may look again in time.
    """
    groups: dict[tuple[str, CauseKind, str], list[Position]] = defaultdict(list)
    for position in positions:
        dark = position.dark_by_us and position.ref in known_dark
        for kind, scope, title in _of_number(position, now, dark=dark or _is_dark(position, now, leaving=leaving)):
            groups[scope, kind, title].append(position)
    for position in left:
        wave = position.wave or "no wave"
        of_wave = groups[wave, CauseKind.WORKER_GONE, _LEFT.format(wave=wave)]
        if all(one.migration_id != position.migration_id for one in of_wave):
            of_wave.append(position)
    found = [
        FoundCause(
            f"{kind}:{scope}"[:300],
            kind,
            _counted(_maybe(title, kind, numbers), numbers),
            tuple(_line(one, now, kind) for one in numbers),
        )
        for (scope, kind, title), numbers in groups.items()
    ]
    found += proof_causes(to_tell, now)
    found += [cause for wave in waves for cause in _of_wave(wave, now)]
    for profile in halted:
        title = f"credential profile {profile['name']} is halted: {profile['halted_because']}"
        found.append(FoundCause(f"halted:profile:{profile['name']}", CauseKind.HALTED, title))
    return tuple(found)


def dark_ones(lines: Iterable[str]) -> frozenset[str]:
    """References of the numbers in the lines of a cause."""
    return frozenset(line.partition(" ")[0] for line in lines)


def _of_number(position: Position, now: datetime, *, dark: bool) -> Iterable[tuple[CauseKind, str, str]]:
    """Kind, what makes one cause of several numbers, and the title, in which NUMBERS stands for how many they are."""
    wave = position.wave or "no wave"
    if dark:
        yield CauseKind.DARK, wave, f"{NUMBERS} {_DARK} ({wave})"
    if position.status is Status.BLOCKED:
        page = position.runbook or "no page"
        yield CauseKind.BLOCKED, f"{page}:{wave}", f"{NUMBERS} blocked ({wave}): see {page}"
    elif position.status is Status.HELD and position.wave_state != WaveState.HALTED:
        yield CauseKind.HELD, wave, f"{NUMBERS} held at the gate ({wave})"
    elif _waits_for_code(position, now):
        yield CauseKind.CODE, position.customer, f"{position.customer} has to read out the code of {NUMBERS}"
        if position.waiting_until is not None and position.waiting_until - now <= CODE_ENDS_WITHIN:
            title = f"the codes of {NUMBERS} of {position.customer} expire within {_minutes(CODE_ENDS_WITHIN)}"
            yield CauseKind.CODE_EXPIRING, position.customer, title
    if lost_its_worker(position, now):
        yield CauseKind.WORKER_GONE, wave, _LEFT.format(wave=wave)
    ends_at = position.signup_ends_at
    if ends_at is not None and position.crossed_at is None and ends_at - now <= SIGNUP_ENDS_WITHIN:
        yield CauseKind.SIGNUP_ENDING, position.customer, f"Embedded Signup of {NUMBERS} of {position.customer} ends"


def _is_dark(position: Position, now: datetime, *, leaving: bool) -> bool:
    """Dark by us for longer than a cutover needs, or with nobody who goes on by himself."""
    if not position.dark_by_us:
        return False
    stands = position.status in (Status.BLOCKED, Status.HELD) or lost_its_worker(position, now)
    stands = stands or (leaving and position.status is not Status.RUNNING)
    return stands or position.dark_since is None or now - position.dark_since >= DARK_BY_DESIGN


def _waits_for_code(position: Position, now: datetime) -> bool:
    waits = position.status is Status.WAITING and position.waiting_on is Party.CUSTOMER
    return waits and position.next_step in VERIFY_STEPS and (position.waiting_until or now) >= now


def _of_wave(wave: WaveRow, now: datetime) -> Iterable[FoundCause]:
    if wave.state is WaveState.HALTED:
        why = f"wave {wave.name}: {wave.because}. Next: {release_of(wave)}"
        title = f"wave {wave.name} is halted: {wave.because}"
        yield FoundCause(f"halted:wave:{wave.id}", CauseKind.HALTED, title, (why,))
    if wave.state is WaveState.DONE and wave.last_end is not None and now - wave.last_end <= FINISHED_FOR:
        title = f"wave {wave.name} has ended: {wave.numbers} numbers; `cutover status` shows how"
        yield FoundCause(f"finished:wave:{wave.id}", CauseKind.FINISHED, title)
    if wave.state not in (WaveState.DONE, WaveState.STOPPED) and wave.window_end is not None and wave.left:
        yield from _of_window(wave, wave.window_end, now)


def _of_window(wave: WaveRow, end: datetime, now: datetime) -> Iterable[FoundCause]:
    """Told before it ends, and true for a day after it: what has not crossed goes nowhere by itself."""
    if not -ENDED_FOR <= end - now <= WINDOW_ENDS_WITHIN:
        return
    left, over = f"{wave.left} of {wave.numbers} numbers", end <= now
    begun = "have not crossed" if wave.state is not WaveState.PLANNED else "are left: it was never begun"
    title = f"the window of wave {wave.name} {'has ended' if over else 'ends'} at {end:%Y-%m-%d %H:%M} UTC"
    goes_on = wave.state is not WaveState.PLANNED or over
    command = extend_window_command(wave.name) if goes_on else f"cutover run {wave.name}"
    line = f"wave {wave.name}: {'the window is over' if over else 'the window ends soon'}. Next: {command}"
    yield FoundCause(f"window_ending:wave:{wave.id}", CauseKind.WINDOW_ENDING, f"{title}, and {left} {begun}", (line,))


def _maybe(title: str, kind: CauseKind, numbers: Sequence[Position]) -> str:
    """What is not known to be dark is not said to be: a call may have moved it, and both sides are still read."""
    if kind is CauseKind.DARK and all(number.side is Side.UNKNOWN for number in numbers):
        return title.replace(_DARK, _MAY_BE_DARK)
    return title


def _counted(title: str, numbers: Sequence[Position]) -> str:
    return title.replace(NUMBERS, numbers[0].ref if len(numbers) == 1 else f"{len(numbers)} numbers")


def _line(position: Position, now: datetime, kind: CauseKind) -> str:
    """A sentence about one number: who, where, why, and what to type. It changes only with its state, not with time."""
    who = f"{position.ref} ({masked(position.e164)}) of {position.customer}"
    if kind is CauseKind.SIGNUP_ENDING and position.signup_ends_at is not None:
        ends = f"{'end' if position.signup_ends_at > now else 'have ended'} at {position.signup_ends_at:%Y-%m-%d %H:%M}"
        return f"{who}: its 14 days {ends} UTC, and it has not crossed. Next: {next_command(position, now)}"
    if kind is CauseKind.WORKER_GONE and position.ended_at is not None:
        return f"{who}: another worker has gone on, and it is at its end ({position.status})"
    if kind is CauseKind.WORKER_GONE and not lost_its_worker(position, now):
        return f"{who}: another worker goes on with it. Next: cutover show {position.ref}"
    dark = "perhaps dark" if position.side is Side.UNKNOWN else "dark"
    since = f", {dark} since {position.dark_since:%H:%M:%S} UTC" if position.dark_by_us and position.dark_since else ""
    waits = position.status is Status.WAITING and position.waiting_until is not None and position.waiting_on is not None
    until = f" until {position.waiting_until:%H:%M} UTC" if waits else ""  # of one that is held: when it is looked at
    why = f": {position.reason.rstrip('. ')}" if position.reason and position.status is not Status.RUNNING else ""
    gone = lost_its_worker(position, now)
    if gone:
        why, until = ": its worker has gone", ""
    # A wait that is over for a moment, between two looks of its worker, is not told as another state.
    at = now if gone or position.status is Status.HELD else LONG_AGO
    where = f"{position.status} at {position.next_step}{until}{since}{why}"
    return f"{who}: {where}. Next: {next_command(position, at)}"


def _minutes(time: timedelta) -> str:
    return f"{time.total_seconds() / 60:.0f} min"

"""What people are told of what webhooks have shown, or have not shown in time. Found in our own record."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from migration.notify.notify_targets import CauseKind
from migration.scrubbing.masking import masked
from state.notices import NUMBERS, FoundCause
from state.proof import Weight, is_moved, reports_of, sends, silent_since, until_text
from state.rows import Position

TOLD_FOR = timedelta(days=1)  # what casts no doubt on a number, but people should know: so long after it happened


def proof_causes(positions: Sequence[Position], now: datetime) -> Iterable[FoundCause]:
    """One cause a report of an account or a number, one for failed messages and one for silence of each wave."""
    numbers: dict[tuple[CauseKind, str, str], dict[str, str]] = defaultdict(dict)
    for position in positions:
        for kind, key, title, line in (*_reports(position, now), *_unproved(position, now)):
            numbers[kind, key, title][position.ref] = line
    for (kind, key, title), lines in numbers.items():
        count = next(iter(lines)) if len(lines) == 1 else f"{len(lines)} numbers"
        yield FoundCause(f"{kind}:{key}"[:300], kind, title.replace(NUMBERS, count), tuple(lines.values()))


Found = tuple[CauseKind, str, str, str]


def _reports(position: Position, now: datetime) -> Iterable[Found]:
    of_waba = position.waba_reported if isinstance(position.waba_reported, Mapping) else {}
    for topic, report in reports_of(position):
        at = datetime.fromtimestamp(report["at"], UTC)
        stands = report["weight"] >= Weight.DOUBT
        if not stands and now - at > TOLD_FOR:
            continue
        waba = of_waba.get(topic) == report
        # What stands is one cause however often it is reported: each message that an account cannot pay for does it.
        when = "" if stands else f", {at:%Y-%m-%d %H:%M} UTC"
        what = f"{topic} ({report['word']}{until_text(report)}){when}"
        title = f"Meta reports of the account of {NUMBERS}: {what}" if waba else f"Meta reports of {NUMBERS}: {what}"
        key = f"{topic}:{report['word'] if stands else report['at']}:{position.waba_id if waba else position.ref}"
        yield CauseKind.ACCOUNT, key, title, _line(position, what)


def _unproved(position: Position, now: datetime) -> Iterable[Found]:
    wave = position.wave or "no wave"
    if is_moved(position) and position.smoke_error is not None and not sends(position):
        why = f"its message failed with {position.smoke_error or 'no code'}"
        yield (
            CauseKind.UNPROVED,
            f"failed:{wave}",
            f"the message of {NUMBERS} failed after the move ({wave})",
            _line(position, why),
        )
    since = silent_since(position, now)
    if since is not None:
        why = f"no message of a consumer has come in until {since:%Y-%m-%d %H:%M} UTC"
        yield (
            CauseKind.UNPROVED,
            f"silent:{wave}",
            f"{NUMBERS} received nothing in time after the move ({wave})",
            _line(position, why),
        )


def _line(position: Position, why: str) -> str:
    who = f"{position.ref} ({masked(position.e164)}) of {position.customer}"
    return f"{who}: {why}. Next: cutover show {position.ref}"

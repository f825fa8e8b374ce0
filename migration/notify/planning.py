"""When a target is told of a cause: at first, of more numbers, again while nobody has taken it over, of its end."""

from datetime import datetime, timedelta

from migration.notify.notify_targets import CauseKind, Target
from state.notices import CauseRow, NoticeKind, NoticeRow

# Numbers that join a cause one by one make one message, except those that are dark. A code lives for ten minutes, and
# of one that is about to expire less is left.
BETWEEN_CHANGES = timedelta(minutes=5)
SOONER = {
    CauseKind.DARK: timedelta(),
    CauseKind.CODE: timedelta(minutes=1),
    CauseKind.CODE_EXPIRING: timedelta(seconds=20),
}


def next_notice(cause: CauseRow, target: Target, last: NoticeRow | None, now: datetime) -> NoticeKind | None:
    """What `target` has to be told now. `last`: its last message about this cause.

    While it has not taken that one, there is nothing more to say but that it is over: a service that was down for an
    hour does not get sixty reminders when it is back.
    """
    kind = CauseKind(cause.kind)
    if kind not in target.kinds or (last is not None and last.kind is NoticeKind.RESOLVED):
        return None
    if target.quiet is not None and target.quiet.include(now) and kind is not CauseKind.DARK:
        return None
    if cause.resolved_at is not None:
        return NoticeKind.RESOLVED if last is not None and kind is not CauseKind.FINISHED else None
    if last is None:
        waits = target.after and (cause.acknowledged_at is not None or now - cause.opened_at < target.after)
        return None if waits else NoticeKind.OPENED
    if last.sent_at is None:
        return None
    more = not set(cause.lines) <= set(last.lines)
    if more and now - last.made_at >= SOONER.get(kind, BETWEEN_CHANGES):
        return NoticeKind.CHANGED
    if kind is CauseKind.FINISHED:
        return None
    again = target.repeat is not None and now - last.made_at >= target.repeat
    return NoticeKind.REMINDER if again and cause.acknowledged_at is None else None

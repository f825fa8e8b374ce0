"""Did somebody else register this number on Cloud? Asked before a PIN is set or sent, and before a client is stopped.

Another home of cutover on the same fleet, or a person, may move a number that is on its way here. The PIN is theirs
then: ours would be wrong, or would replace theirs. No reading names who registered a number; but our own calls of
`register` are on record, so a number on Cloud without one was not moved by us.
"""

from datetime import datetime, timedelta

from migration.clients.onprem_reading import Reading
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Waiting
from migration.steps.protocol import READS_LAG
from migration.steps.reading_cache import BothSides
from state.enums import Party

FOREIGN_PAGE = "runbooks/moved-by-others.md"
MOVES_FROM_A_CLIENT = frozenset({"WITH_BACKUP", "CODE_FIRST", "CODE_AFTER"})
# Between the reading of a number and the writing of its migration; the figure is ours.
IMPORT_TAKES = timedelta(minutes=1)
# A move takes up to 15 s: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration
# After that, readings may lag. So long after a client went off, Graph shows who has taken its number.
FOREIGN_MOVE_SHOWS = timedelta(seconds=15) + READS_LAG


def moved_by_others(both: BothSides, number: Number, step: str) -> Waiting | Blocked | None:
    """Why no PIN may be set or sent now: the number was moved by somebody else, or may be moving at this moment."""
    if _is_ours(number):
        return None
    if both.cloud.registered and both.serving:
        return Waiting(number.after(seconds=2), Party.META, "both sides claim the number")
    if _on_cloud(both, number):
        shown = f"{both.cloud.status} on {both.cloud.platform_type}"
        reason = f"Graph shows the number {shown}, and no register of this home is on record: somebody else moved it"
        return Blocked(reason, FOREIGN_PAGE)
    return _may_be_moving(both, number, step)


def _is_ours(number: Number) -> bool:
    """A register of this home is on record, or a person or a restore took the number over as one on Cloud."""
    return number.state.register_sent or bool(number.result_of("confirm"))


def _on_cloud(both: BothSides, number: Number) -> bool:
    """Coming up counts where an earlier reading of this migration showed the number on another platform."""
    before = number.result_of("snapshot").get("cloud_platform")
    came_up = both.cloud.platform_type == "CLOUD_API" and before not in (None, "CLOUD_API")
    return both.cloud.registered or came_up


def _may_be_moving(both: BothSides, number: Number, step: str) -> Waiting | None:
    """Its client served and is off, by no call of ours: a register of somebody else may not show at Graph yet."""
    if not _went_off_by_itself(both, number):
        return None
    state, noted = number.state, number.note_of(step).get("off_since")
    since = datetime.fromisoformat(noted) if noted else number.now
    since = min(since, state.dark_since or since)
    until = since + FOREIGN_MOVE_SHOWS
    if number.now >= until:
        return None
    reason = "its client went off by no call of ours; Graph is read again, in case somebody else is moving the number"
    note = {**number.note_of(step), "off_since": since.isoformat()}
    return Waiting(min(number.next_check(since, 2), until), Party.META, reason, note)


def _went_off_by_itself(both: BothSides, number: Number) -> bool:
    """The client served when this migration began or at its snapshot, and is off by no call or word of ours."""
    state = number.state
    if both.onprem is None or both.serving or state.itinerary not in MOVES_FROM_A_CLIENT:
        return False
    if state.crossed_at is not None or number.result_of("deregister_onprem") or state.onprem_off_stated_by is not None:
        return False
    if number.result_of("snapshot").get("onprem") == Reading.SERVING:
        return True
    on_arrival = state.dark_since is not None and state.dark_since <= state.created_at + IMPORT_TAKES
    return both.onprem.kind is Reading.NOT_SERVING and not on_arrival

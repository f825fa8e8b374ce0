"""The closed sets of words that the rows use. No logic, no imports of ours."""

from enum import StrEnum


class Side(StrEnum):
    """Where a number answers. A fact, set only by a reading."""

    ON_PREMISES = "on_premises"
    CLOUD = "cloud"
    NEITHER = "neither"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """What happens to a number migration next. Never says where the number is."""

    READY = "ready"  # the next mover may take it now
    RUNNING = "running"  # a mover holds its lease; once the lease ended this reads as ready
    WAITING = "waiting"  # nothing is wrong; looked at again at `waiting_until`
    BLOCKED = "blocked"  # a person must act; `runbook` names the page
    HELD = "held"  # at the gate: hold, window, halt or a halted credential profile
    DONE = "done"  # the itinerary ended
    SKIPPED = "skipped"  # ended before it began, by a disposition
    ABORTED = "aborted"  # ended by a person before the point of no return


LIVE = (Status.READY, Status.RUNNING, Status.WAITING, Status.BLOCKED, Status.HELD)
ENDED = (Status.DONE, Status.SKIPPED, Status.ABORTED)


class Promise(StrEnum):
    """What a step says about repeating its call after an answer was lost."""

    READ = "read"
    REPEATABLE = "repeatable"
    AT_MOST_ONCE = "at most once"
    PROBED = "probed"


class Party(StrEnum):
    """Whose move it is."""

    US = "us"
    META = "Meta"
    OPERATOR = "operator"
    CUSTOMER = "customer"


class AttemptEnd(StrEnum):
    """How an attempt was closed; an open attempt has none."""

    DONE = "done"
    NOT_DONE = "not done"  # a probe found witnesses that the call had no effect
    REFUSED = "refused"  # answered with an error
    NEVER_LEFT = "never left"  # not a byte went out; costs no budget


class PinProvenance(StrEnum):
    """How we know a PIN. Nothing else may be sent to `register`."""

    SET_BY_US = "set_by_us"
    HANDED_IN = "handed_in"
    TWO_STEP_OFF_STATED = "two_step_off_stated"
    SET_ON_CLOUD = "set_on_cloud"


class Disposition(StrEnum):
    """An end state other than moved."""

    ALREADY_ON_CLOUD = "already_on_cloud"
    ON_BUSINESS_APP = "on_business_app"
    OTHER_PARTNER = "other_partner"
    DELETED = "deleted"
    BANNED = "banned"
    CHURNED = "churned"
    LINE_LOST = "line_lost"


class WaveState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    HELD = "held"  # by a person
    HALTED = "halted"  # by its halt rule
    STOPPED = "stopped"  # for good, by a person
    DONE = "done"


class Released(StrEnum):
    """How much of a wave may pass the gate."""

    NONE = "none"
    CANARY = "canary"
    ALL = "all"

"""The values that columns may have. No logic, no imports of ours."""

from enum import StrEnum


class Side(StrEnum):
    """Which platform serves a number. Set only by a reading."""

    ON_PREMISES = "on_premises"
    CLOUD = "cloud"
    NEITHER = "neither"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """What happens to a number migration next. Never says where the number is."""

    READY = "ready"  # a worker may take it now
    RUNNING = "running"  # a worker holds its lease; it counts as ready once the lease has ended
    WAITING = "waiting"  # nothing is wrong; due again at `waiting_until`
    BLOCKED = "blocked"  # a person must act; `runbook` names the page that says how
    HELD = "held"  # at the gate: hold, window, halt or a halted credential profile
    DONE = "done"  # the itinerary ended
    SKIPPED = "skipped"  # ended before it began, by a disposition
    ABORTED = "aborted"  # ended by a person before the point of no return


LIVE = (Status.READY, Status.RUNNING, Status.WAITING, Status.BLOCKED, Status.HELD)
ENDED = (Status.DONE, Status.SKIPPED, Status.ABORTED)


class Promise(StrEnum):
    """What a step declares about repeating its call after a lost answer."""

    READ = "read"
    REPEATABLE = "repeatable"
    AT_MOST_ONCE = "at most once"
    PROBED = "probed"


class OutsideFailure(StrEnum):
    """Why a call failed that concerns more numbers than its own."""

    GRAPH = "graph"  # Graph did not do what it was asked: HTTP 5xx, "unknown error", "service unavailable"
    TERMS = "terms"  # the business has not accepted Meta's Terms
    ACCOUNT = "account"  # Meta has restricted the WABA


class Party(StrEnum):
    """Who has to act next."""

    US = "us"
    META = "Meta"
    OPERATOR = "operator"
    CUSTOMER = "customer"


class AttemptEnd(StrEnum):
    """How an attempt was closed; an open attempt has none."""

    DONE = "done"
    NOT_DONE = "not done"  # a probe proved that the call had no effect
    REFUSED = "refused"  # answered with an error
    NEVER_LEFT = "never left"  # no byte was sent; the call does not count in the budget


class PinProvenance(StrEnum):
    """How we know a PIN. A PIN of any other origin is never sent to `register`."""

    SET_BY_US = "set_by_us"
    HANDED_IN = "handed_in"
    TWO_STEP_OFF_STATED = "two_step_off_stated"
    SET_ON_CLOUD = "set_on_cloud"


class Disposition(StrEnum):
    """Why a number ends without being moved by us."""

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


class Codes(StrEnum):
    """When the verification codes of a wave are asked for."""

    WHEN_READY = "when_ready"  # of a number once somebody has said that its phone is attended
    AT_ONCE = "at_once"  # somebody is at every phone


class SmokeMode(StrEnum):
    """How it is proved that a moved number works."""

    READ_ONLY = "read-only"  # Meta's readings alone: never a proof
    OUTBOUND = "outbound"  # a message of it is delivered
    INBOUND = "inbound"  # a consumer's message comes in
    ROUND_TRIP = "round-trip"  # a message is delivered, and a person sends a word that comes in
    PASSIVE = "passive"  # a real message comes in within some hours, or people are told

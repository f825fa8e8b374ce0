"""Frozen rows that ledger and queries return. Code outside `state` never holds a live ORM object."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from state.enums import Codes, Party, PinProvenance, Side, SmokeMode, Status, WaveState


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as the vault sealed it. Nothing else of a secret is ever written to a table.

    `shelf_file`: the file with its second copy, for a backup. `version`: bound to the ciphertext and to its data key;
    no other value of the same owner and name has the same. `newest`: no later value of them was ever stored.
    """

    name: str
    ciphertext: bytes
    wrapped_key: bytes
    key_id: str
    shelf_file: str | None = None
    version: int | None = None  # None: of a release before there were versions
    newest: bool = True


@dataclass(frozen=True, slots=True)
class InstanceRow:
    id: int
    name: str
    base_url: str
    username: str
    verify_tls: bool
    stop_command: str | None
    start_command: str | None
    command_arguments: Mapping[str, str]
    clear_http: bool = False  # its row allows http:// beyond this machine
    certificate: str | None = None  # `sha256:` and a fingerprint, or an authority that the admin file names


@dataclass(frozen=True, slots=True)
class Position:
    """One number migration with all that a step may need to know of its number."""

    migration_id: int
    number_id: int
    ref: str
    e164: str
    phone_number_id: str
    waba_id: str
    customer: str
    hook: str | None
    hook_required: bool
    profile_id: int
    profile: str
    profile_halted_at: datetime | None
    app_id: str
    instance: InstanceRow | None
    wave: str | None
    wave_state: str | None
    wave_released: str | None
    window_start: datetime | None
    window_end: datetime | None
    canary: bool
    itinerary: str
    because: str
    next_step: str | None
    status: Status
    hold: bool
    side: Side
    side_read_at: datetime | None
    dark_since: datetime | None
    dark_by_us: bool
    outage_seconds: float | None
    crossed_at: datetime | None
    sender_gap_seconds: float | None
    paused_at: datetime | None
    pause_until: datetime | None
    senders_try_at: datetime | None
    senders_tries: int
    senders_error: str | None
    waiting_until: datetime | None
    waiting_on: Party | None
    reason: str | None
    runbook: str | None
    tries: int
    spend_reserve: bool
    epoch: int
    lease_holder: str | None
    lease_until: datetime | None
    worker_gone: bool  # its holder is known to have exited: nobody is working on the number, whatever the lease says
    fence: int
    version: int
    calls_kept_until: datetime | None  # until then calls of its WABA are kept for its cutover
    attempts: int
    language: str
    code_method: str
    storage_region: str | None
    smoke_to: str | None
    pin_provenance: PinProvenance | None
    onprem_off_stated_by: str | None
    onprem_off_stated_at: datetime | None
    disposition: str | None
    route: str | None
    created_at: datetime
    ended_at: datetime | None
    terms_known: bool = True  # a `register` has shown, or a person has stated, that its business accepted the Terms
    sides_read: bool = True  # both sides were read in the home's present epoch, which a restore begins
    register_sent: bool = False  # a call of `register` for its phone number id is on record, of any migration
    served_at: datetime | None = None  # these six: see `state/service.py`
    served_on: Side | None = None
    dark_from: datetime | None = None
    dark_until: datetime | None = None
    seen_at: datetime | None = None
    outage_at_least: float | None = None
    wave_codes: str | None = None  # `state.enums.Codes`; None for a number in no wave
    ready_until: datetime | None = None  # somebody is at its phone until then
    ready_how: str | None = None
    ready_by: str | None = None
    slot_from: datetime | None = None  # somebody has promised to be at its phone
    slot_until: datetime | None = None
    next_code_method: str | None = None  # chosen for the next code; else `code_method` and `language`
    next_code_language: str | None = None
    signup_ends_at: datetime | None = None  # of a new number: until then it may register without another signup
    profile_read_at: datetime | None = None
    profile_lost: str | None = None
    limit_lowered: str | None = None
    smoke: str | None = None  # these, and the three before: see `state/proof.py`
    wave_smoke: str | None = None
    wave_smoke_canary: str | None = None
    smoke_hours: int | None = None
    smoke_state: str | None = None
    smoke_error: int | None = None
    sends_at: datetime | None = None
    receives_at: datetime | None = None
    word_at: datetime | None = None
    foreign_waba: str | None = None
    reported: Mapping[str, Any] | None = None
    waba_reported: Mapping[str, Any] | None = None
    held_for: str | None = None  # a number whose failure keeps this held one from crossing
    released_by_name: bool = False  # a release of its wave named it
    wave_canary_size: int | None = None
    held_for_page: str | None = None  # the runbook that a person has to follow for that number, where one has to
    home: str = ""  # identity of the home and mark of its epoch: announcements name it


class ListedNumber(NamedTuple):
    """A number as lists show it: its newest migration, with what the sentences about it need and no more.

    A tuple, because a fleet has 50,000 of them.
    """

    migration_id: int
    number_id: int
    ref: str
    e164: str
    customer: str
    profile_halted_at: datetime | None
    wave: str | None
    wave_state: str | None
    wave_released: str | None
    window_start: datetime | None
    window_end: datetime | None
    canary: bool
    itinerary: str
    next_step: str | None
    status: Status
    hold: bool
    side: Side
    side_read_at: datetime | None
    dark_since: datetime | None
    dark_by_us: bool
    outage_seconds: float | None
    outage_at_least: float | None
    crossed_at: datetime | None
    sender_gap_seconds: float | None
    paused_at: datetime | None
    waiting_until: datetime | None
    waiting_on: Party | None
    reason: str | None
    runbook: str | None
    lease_holder: str | None
    lease_until: datetime | None
    attempts: int
    ended_at: datetime | None
    served_at: datetime | None
    served_on: Side | None
    dark_from: datetime | None
    dark_until: datetime | None
    seen_at: datetime | None
    signup_ends_at: datetime | None
    sides_read: bool  # all of these as in Position
    worker_gone: bool
    profile_read_at: datetime | None
    profile_lost: str | None
    limit_lowered: str | None
    smoke: str | None
    wave_smoke: str | None
    wave_smoke_canary: str | None
    smoke_hours: int | None
    smoke_state: str | None
    smoke_error: int | None
    sends_at: datetime | None
    receives_at: datetime | None
    word_at: datetime | None
    foreign_waba: str | None
    reported: Mapping[str, Any] | None
    waba_reported: Mapping[str, Any] | None
    held_for: str | None
    held_for_page: str | None
    released_by_name: bool
    wave_canary_size: int | None


# What the sentences about a number are made of.
AnyPosition = Position | ListedNumber


@dataclass(frozen=True, slots=True)
class UndecidedRow:
    """An imported number that no census has read yet."""

    number_id: int
    ref: str
    e164: str
    phone_number_id: str
    waba_id: str
    app_id: str
    forced: str | None
    profile_id: int
    profile: str
    instance: InstanceRow | None


@dataclass(frozen=True, slots=True)
class UnplannedRow:
    """A live migration that is in no wave, with what the rule of a wave may test."""

    migration_id: int
    ref: str
    customer: str
    tags: str
    daily_volume: int | None


@dataclass(frozen=True, slots=True)
class WaveRow:
    """One wave; `numbers` is how many migrations it has."""

    id: int
    name: str
    state: WaveState
    released: str
    window_start: datetime | None
    window_end: datetime | None
    time_zone: str
    canary_size: int
    concurrency: int
    halt_count: int | None
    halt_share: float | None
    because: str | None
    numbers: int
    canary: tuple[str, ...] = ()  # references, low volume first
    left: int = 0  # numbers that have neither crossed nor ended
    named: tuple[str, ...] = ()  # the same of numbers that a release named
    named_left: tuple[str, ...] = ()  # those of them that have neither crossed nor ended
    on_hold: int = 0  # numbers that have not crossed and that a hold of their own keeps from it
    last_end: datetime | None = None  # when the last of its numbers that have ended did so
    codes: Codes = Codes.WHEN_READY
    smoke: str = SmokeMode.OUTBOUND
    smoke_canary: str | None = None
    smoke_hours: int | None = None


@dataclass(frozen=True, slots=True)
class WaveEventRow:
    """One decision about a wave. `by`: the person, or what decided where no person did."""

    at: datetime
    kind: str
    by: str
    because: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one number until `until`, by the database's clock, which said `now` when it was taken.

    `version`: of the number's row, as its holder read it last. A write with an older version is refused.
    """

    migration_id: int
    holder: str
    fence: int
    now: datetime
    until: datetime
    version: int


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An intent whose call has no recorded outcome yet. `refusal`: its answer, where that was a refusal.

    `has_secret`: something may be sealed for it; False only where it is known that nothing is.
    """

    id: int
    number: int
    step: str
    key: str
    intent: Mapping[str, Any]
    side_before: Side
    opened_at: datetime
    answer_due: datetime
    settle_by: datetime
    refusal: Mapping[str, Any] | None = None
    has_secret: bool = True


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A step's latest result or note."""

    step: str
    at: datetime
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A verification code that somebody typed in; `state` is "entered", "verified", "refused" or "replaced"."""

    id: int
    entered_at: datetime
    entered_by: str
    state: str


@dataclass(frozen=True, slots=True)
class CodeRequestRow:
    """One request of a code. `ended`: how the attempt was closed, None while it is open. `answer`: of a refusal."""

    step: str
    at: datetime
    method: str
    language: str
    ended: str | None
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventRow:
    seq: int
    at: datetime
    kind: str
    facts: Mapping[str, Any]

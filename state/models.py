"""The tables. Every rule that a database can enforce is a constraint or a partial unique index here."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.orm import Mapped

from state.declaring import TableBase, complete_indexes, mapped_column, partial_index
from state.enums import AttemptEnd, Codes, Disposition, PinProvenance, Released, Side, SmokeMode, Status, WaveState
from state.types import Facts, UtcDateTime

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite generates ids only for INTEGER primary keys


NO_EVENT = "0" * 64  # the hash before the first event of a chain


def _one_of(column: str, values: type[Any]) -> str:
    return f"{column} IN ({', '.join(repr(str(value.value)) for value in values)})"


class Base(TableBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        float: Double(),
        int: Integer(),
        str: String(),
        bool: Boolean(),
    }


class HomeTable(Base):
    """One row: which home this database belongs to. A schema revision makes it, with a random identity.

    `openings` only rises; the home's folder keeps its last value, so a database that was put back by hand is behind it.
    `epoch` rises with each restore: what was read before a restore says nothing about the numbers after it.
    """

    __tablename__ = "home"

    id: Mapped[int] = mapped_column(primary_key=True)
    home_id: Mapped[str] = mapped_column(String(32))
    key_id: Mapped[str | None] = mapped_column(String(40))  # the master key that the home's secrets are sealed under
    openings: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[int] = mapped_column(default=0)
    epoch_mark: Mapped[str | None] = mapped_column(String(16))  # random; None before the first restore
    restored_at: Mapped[datetime | None]
    record_from: Mapped[datetime | None]  # when the restored backup was taken; None where that is not known
    made_at: Mapped[datetime]
    # The chain of what concerns the home itself: how many events it has, and the hash of the last one.
    events: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    events_head: Mapped[str] = mapped_column(String(64), default=NO_EVENT, server_default=NO_EVENT)
    record_epoch: Mapped[int | None]  # the epoch whose chains were anchored; None: none yet
    place: Mapped[str | None] = mapped_column(
        Text
    )  # where the database lay at its last opening: migration.home.database_location

    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)


class HomeEventTable(Base):
    """Append-only: what concerns the home and no single number or wave. Hashed as events of numbers are."""

    __tablename__ = "home_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    seq: Mapped[int] = mapped_column(unique=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class CustomerTable(Base):
    """The owner of numbers. `hook` names the traffic hook in the admin file, if the customer has one."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    hook: Mapped[str | None] = mapped_column(String(100))
    traffic: Mapped[str] = mapped_column(String(20), default="advisory")
    # Since when it is known that its business has accepted Meta's Terms: by a `register`, or by a person's word.
    terms_known_at: Mapped[datetime | None]
    terms_known_by: Mapped[str | None] = mapped_column(String(100))
    # Who is called for a code, and when: from the inventory.
    contact: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(10))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    hours: Mapped[str | None] = mapped_column(String(200))  # as `migration.fleet.allowed_hours` reads them
    consent_at: Mapped[datetime | None]
    consent_by: Mapped[str | None] = mapped_column(String(100))  # who has it in hand

    __table_args__ = (CheckConstraint("traffic IN ('required', 'advisory')", name="traffic_known"),)


class DutyShiftTable(Base):
    """Who calls customers, and when. An import of a roster replaces all of it."""

    __tablename__ = "duty_shifts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    operator: Mapped[str] = mapped_column(String(100))
    contact: Mapped[str | None] = mapped_column(String(200))
    languages: Mapped[str] = mapped_column(String(100), default="")  # separated by spaces
    time_zone: Mapped[str] = mapped_column(String(64))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("begins_at < ends_at", name="shift_forward"),)


class RoomTable(Base):
    """A customer's page for one number. Its link holds `version`, so that a higher one ends all links before it."""

    __tablename__ = "rooms"

    number_pk: Mapped[int] = mapped_column(ForeignKey("numbers.id"), primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(100))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    consented_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]  # when it was opened last
    wrong_codes: Mapped[int] = mapped_column(default=0)  # in a row
    codes_from: Mapped[datetime | None]  # none is taken before, so that guessing is slow


class CredentialProfileTable(Base):
    """App, secret, verify token and system-user token, used by one or more WABAs. Secrets are sealed rows."""

    __tablename__ = "credential_profiles"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    app_id: Mapped[str] = mapped_column(String(40))
    halted_at: Mapped[datetime | None]
    halted_because: Mapped[str | None] = mapped_column(Text)


class WabaTable(Base):
    __tablename__ = "wabas"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    waba_id: Mapped[str] = mapped_column(String(40), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    profile_id: Mapped[int] = mapped_column(ForeignKey("credential_profiles.id"))
    reported: Mapped[dict[str, Any] | None]  # what Meta's webhooks say of it as a whole: `state/proof.py`


class InstanceTable(Base):
    """One On-Premises deployment. `stop_command` and `start_command` are names in the admin file, never shell text."""

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    base_url: Mapped[str] = mapped_column(String(500))
    username: Mapped[str] = mapped_column(String(64))
    verify_tls: Mapped[bool] = mapped_column(Boolean, default=True)
    stop_command: Mapped[str | None] = mapped_column(String(100))
    start_command: Mapped[str | None] = mapped_column(String(100))
    command_arguments: Mapped[dict[str, Any]] = mapped_column(Facts(), default=dict)
    clear_http: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    certificate: Mapped[str | None] = mapped_column(String(100))


class NumberTable(Base):
    __tablename__ = "numbers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ref: Mapped[str] = mapped_column(String(20), unique=True)
    e164: Mapped[str] = mapped_column(String(20), unique=True)
    phone_number_id: Mapped[str] = mapped_column(String(40), unique=True)
    waba_pk: Mapped[int] = mapped_column(ForeignKey("wabas.id"))
    instance_pk: Mapped[int | None] = mapped_column(ForeignKey("instances.id"), unique=True)
    wave_name: Mapped[str | None] = mapped_column(String(100))  # the wave its migration is put into when it starts
    tags: Mapped[str] = mapped_column(String(500), default="")
    daily_volume: Mapped[int | None]
    language: Mapped[str] = mapped_column(String(10), default="en")
    code_method: Mapped[str] = mapped_column(String(10), default="SMS")
    storage_region: Mapped[str | None] = mapped_column(String(2))
    smoke_to: Mapped[str | None] = mapped_column(String(20))
    forced_itinerary: Mapped[str | None] = mapped_column(String(40))
    pin_provenance: Mapped[str | None] = mapped_column(String(30))
    pin_since: Mapped[datetime | None]
    # A named person stated that On-Premises is off for good: proof where no reading can give it.
    onprem_off_stated_by: Mapped[str | None] = mapped_column(String(100))
    onprem_off_stated_at: Mapped[datetime | None]
    disposition: Mapped[str | None] = mapped_column(String(30))
    disposition_reason: Mapped[str | None] = mapped_column(Text)
    disposition_evidence: Mapped[dict[str, Any] | None]
    disposition_by: Mapped[str | None] = mapped_column(String(100))
    disposition_at: Mapped[datetime | None]
    imported_at: Mapped[datetime]
    route: Mapped[str | None] = mapped_column(String(20))  # the side that its senders were last told to send to
    # Somebody is at its phone: who said so, how, and until when. A booked slot says it in advance.
    ready_until: Mapped[datetime | None]
    ready_how: Mapped[str | None] = mapped_column(String(20))
    ready_by: Mapped[str | None] = mapped_column(String(100))
    slot_from: Mapped[datetime | None]
    slot_until: Mapped[datetime | None]
    slot_by: Mapped[str | None] = mapped_column(String(100))
    # What the next code is asked for with, where somebody chose it; else `code_method` and `language`.
    next_code_method: Mapped[str | None] = mapped_column(String(10))
    next_code_language: Mapped[str | None] = mapped_column(String(10))
    smoke: Mapped[str | None] = mapped_column(String(20))  # how its service is proved; None: as its wave says
    reported: Mapped[dict[str, Any] | None]  # what Meta's webhooks say of it: `state/proof.py`

    __table_args__ = (
        Index("ix_numbers_waba_pk_disposition", "waba_pk", "disposition"),
        CheckConstraint("code_method IN ('SMS', 'VOICE')", name="code_method_known"),
        CheckConstraint(
            f"pin_provenance IS NULL OR {_one_of('pin_provenance', PinProvenance)}",
            name="pin_provenance_known",
        ),
        CheckConstraint(f"disposition IS NULL OR {_one_of('disposition', Disposition)}", name="disposition_known"),
    )


class WaveTable(Base):
    """Numbers moved together, held and released together."""

    __tablename__ = "waves"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    state: Mapped[str] = mapped_column(String(20), default=WaveState.PLANNED)
    released: Mapped[str] = mapped_column(String(20), default=Released.ALL)
    window_start: Mapped[datetime | None]
    window_end: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    canary_size: Mapped[int] = mapped_column(default=0)
    concurrency: Mapped[int] = mapped_column(default=10)
    halt_count: Mapped[int | None]
    halt_share: Mapped[float | None]
    because: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    # Its chain of decisions: how many there are, and the hash of the last one.
    events: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    events_head: Mapped[str] = mapped_column(String(64), default=NO_EVENT, server_default=NO_EVENT)
    # `when_ready`: a code is asked for once somebody is at the phone. `at_once`: somebody is at every phone.
    codes: Mapped[str] = mapped_column(String(20), default=Codes.WHEN_READY, server_default=Codes.WHEN_READY.value)
    # How its numbers are proved to work: `smoke`; those of its canary where it is not None: `smoke_canary`.
    smoke_canary: Mapped[str | None] = mapped_column(String(20))
    # Within so many hours after its move a number has to receive its first message; None: no alarm.
    smoke_hours: Mapped[int | None]
    smoke: Mapped[str] = mapped_column(String(20), default=SmokeMode.OUTBOUND, server_default=SmokeMode.OUTBOUND.value)

    __table_args__ = (
        CheckConstraint(_one_of("state", WaveState), name="state_known"),
        CheckConstraint(_one_of("released", Released), name="released_known"),
        CheckConstraint("concurrency > 0", name="concurrency_positive"),
        CheckConstraint("canary_size >= 0", name="canary_not_negative"),
        CheckConstraint(
            "window_end IS NULL OR window_start IS NULL OR window_start < window_end", name="window_forward"
        ),
    )


class WaveEventTable(Base):
    """Append-only: who decided what about a wave, when and why. Also what no person decided, as a halt."""

    __tablename__ = "wave_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    wave_pk: Mapped[int] = mapped_column(ForeignKey("waves.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    decided_by: Mapped[str] = mapped_column(Text)
    because: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]]
    # None: written before decisions were hashed; the home's first event covers those.
    seq: Mapped[int | None]
    previous: Mapped[str | None] = mapped_column(String(64))
    hash: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (Index("ix_wave_events_wave_pk_seq", "wave_pk", "seq", unique=True),)


class MigrationTable(Base):
    """One move of a number: `side` is where it is, `next_step` the cursor, `status` what happens next."""

    __tablename__ = "number_migrations"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number_pk: Mapped[int] = mapped_column(ForeignKey("numbers.id"), index=True)
    wave_pk: Mapped[int | None] = mapped_column(ForeignKey("waves.id"), index=True)
    canary: Mapped[bool] = mapped_column(Boolean, default=False)
    hold: Mapped[bool] = mapped_column(Boolean, default=False)
    itinerary: Mapped[str] = mapped_column(String(40))
    because: Mapped[str] = mapped_column(Text)
    next_step: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20), default=Status.READY)
    side: Mapped[str] = mapped_column(String(20), default=Side.UNKNOWN)
    side_read_at: Mapped[datetime | None]
    # Set with the intent of a call that can take the number down, cleared by the reading that finds it in service.
    dark_since: Mapped[datetime | None]
    dark_by_us: Mapped[bool] = mapped_column(Boolean, default=False)
    outage_seconds: Mapped[float | None]  # at most: of all outages of this migration that have ended
    crossed_at: Mapped[datetime | None]  # the point of no return
    paused_at: Mapped[datetime | None]
    sender_gap_seconds: Mapped[float | None]
    waiting_until: Mapped[datetime | None]
    waiting_on: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    runbook: Mapped[str | None] = mapped_column(String(200))
    tries: Mapped[int] = mapped_column(default=0)  # transient failures in a row at this step
    spend_reserve: Mapped[bool] = mapped_column(Boolean, default=False)
    epoch: Mapped[int] = mapped_column(default=0)
    lease_holder: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    moving_until: Mapped[datetime | None]  # until then it takes one of its wave's slots, also between its steps
    # A person released the wave after this number had failed; it does not count in the halt rule again.
    failure_known: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    # Raised by whatever arrives while a worker is at the number; a fenced write names the version that it read.
    version: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # Why a call failed that would fail for other numbers too (`OutsideFailure`); cleared when the call goes through.
    outside_failure: Mapped[str | None] = mapped_column(String(10))
    pause_until: Mapped[datetime | None]  # when the pause of its senders lapses unless it is renewed
    # What its senders have not confirmed outside of a step: when they are told next, how often they were, what failed.
    senders_try_at: Mapped[datetime | None]
    senders_tries: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    senders_error: Mapped[str | None] = mapped_column(Text)
    # It waits for calls that Graph takes on its WABA, and goes on at once where their limit is lifted.
    waits_for_calls: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    calls_kept: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # for the rest of its cutover
    calls_kept_until: Mapped[datetime | None]
    # The epoch of the home in which both of its sides were read last; nothing that moves it is sent in a later one.
    read_epoch: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # What readings have shown of its service, whatever its next step: `state/service.py`.
    served_at: Mapped[datetime | None]
    dark_from: Mapped[datetime | None]
    dark_until: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    served_on: Mapped[str | None] = mapped_column(String(20))
    outage_at_least: Mapped[float | None]  # of all outages of this migration that have ended
    signup_ends_at: Mapped[datetime | None]  # until then a new number may register without another Embedded Signup
    # Its chain of events: how many there are, and the hash of the last one. A trigger writes both with each event.
    events: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    events_head: Mapped[str] = mapped_column(String(64), default=NO_EVENT, server_default=NO_EVENT)
    # Up to here the chain was taken over as it was found, at an upgrade or after a restore; the hash is keyed.
    anchored_events: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    anchor: Mapped[str | None] = mapped_column(String(64))
    # What proves that the moved number works, beside its steps: `state/proof.py`. A step that sends sets `smoke_state`.
    smoke_state: Mapped[str | None] = mapped_column(String(20))  # of its newest smoke message; None: none was sent
    smoke_error: Mapped[int | None]  # Meta's code, where that message failed
    sends_at: Mapped[datetime | None]  # a smoke message of it was delivered
    receives_at: Mapped[datetime | None]  # the last message of a consumer that came in after it had crossed
    word_at: Mapped[datetime | None]  # the same, with the word that a person was asked to send
    foreign_waba: Mapped[str | None] = mapped_column(String(40))  # its webhooks name this WABA, and not its own
    profile_read_at: Mapped[datetime | None]  # when its profile was compared with the one before the move
    profile_lost: Mapped[str | None] = mapped_column(String(200))  # what of it was missing then
    limit_lowered: Mapped[str | None] = mapped_column(String(60))  # its messaging limit, before and after
    # A release named it: it may cross whatever part of its wave is released. Its wave's canary stays what it is.
    released_by_name: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())

    __table_args__ = (
        CheckConstraint(_one_of("side", Side), name="side_known"),
        CheckConstraint(_one_of("status", Status), name="status_known"),
        CheckConstraint("status != 'blocked' OR runbook IS NOT NULL", name="blocked_names_runbook"),
        CheckConstraint("status != 'waiting' OR waiting_until IS NOT NULL", name="waiting_has_end"),
        CheckConstraint("(status IN ('done', 'skipped', 'aborted')) = (ended_at IS NOT NULL)", name="ended_has_time"),
        partial_index("uq_number_migrations_one_live_per_number", "number_pk", unique=True, where="ended_at IS NULL"),
        Index("ix_number_migrations_status_waiting_until", "status", "waiting_until"),
        Index("ix_number_migrations_outside_failure", "outside_failure"),
    )


class AttemptTable(Base):
    """One recorded intent. Its secrets are a sealed row, committed with it and before the call."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    migration_pk: Mapped[int] = mapped_column(ForeignKey("number_migrations.id"))
    number: Mapped[int]
    step: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(120), unique=True)
    holder: Mapped[str] = mapped_column(String(120))
    fence: Mapped[int]
    intent: Mapped[dict[str, Any]]
    side_before: Mapped[str] = mapped_column(String(20))
    opened_at: Mapped[datetime]
    answer_due: Mapped[datetime]
    settle_by: Mapped[datetime]
    ended: Mapped[str | None] = mapped_column(String(20))
    ended_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any] | None]

    __table_args__ = (
        UniqueConstraint("migration_pk", "number"),
        CheckConstraint(f"ended IS NULL OR {_one_of('ended', AttemptEnd)}", name="ended_known"),
        CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="ended_has_time"),
        partial_index("uq_attempts_one_open_per_migration", "migration_pk", unique=True, where="ended IS NULL"),
    )


class BudgetCallTable(Base):
    """A register or deregister call. Meta counts them by phone number id, so over all migrations of a number.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
    """

    __tablename__ = "budget_calls"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    phone_number_id: Mapped[str] = mapped_column(String(40))
    call: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    attempt_pk: Mapped[int | None] = mapped_column(ForeignKey("attempts.id"), unique=True)
    before_import: Mapped[bool] = mapped_column(Boolean, default=False)

    __table_args__ = (
        CheckConstraint("call IN ('register', 'deregister')", name="call_known"),
        Index("ix_budget_calls_phone_number_id_call_at", "phone_number_id", "call", "at"),
    )


class CallBudgetTable(Base):
    """Graph's limit on the calls of one app on one WABA, counted over all workers of this home.

    `waba_id` is empty for calls that count for the app itself. `minutes`: calls that workers have taken, by the minute.
    """

    __tablename__ = "call_budgets"

    app_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    waba_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    active: Mapped[bool] = mapped_column(
        Boolean, default=False
    )  # it has a number on Cloud: 5,000 calls an hour, not 200
    minutes: Mapped[dict[str, Any]]
    closed_until: Mapped[datetime | None]  # Graph refused a call and named this time
    used_by_others: Mapped[int] = mapped_column(default=0)  # what the headers showed beside our own calls
    seen_at: Mapped[datetime | None]  # when they showed it


class FindingTable(Base):
    """A step's latest result, or the note that it keeps for its next run while its result is not known."""

    __tablename__ = "findings"

    migration_pk: Mapped[int] = mapped_column(ForeignKey("number_migrations.id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]

    __table_args__ = (CheckConstraint("kind IN ('result', 'note')", name="kind_known"),)


class EventTable(Base):
    """Append-only. Each keyed hash covers the hash before it, so that a missing or changed row is found."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    migration_pk: Mapped[int] = mapped_column(ForeignKey("number_migrations.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint("migration_pk", "seq"),
        partial_index("ix_events_left_by_worker", "at", where="kind = 'left_by_worker'"),
    )


class SecretTable(Base):
    """A sealed value. Deleting `wrapped_key` destroys it, because the ciphertext has no other key."""

    __tablename__ = "secrets"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(60))
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(40))
    made_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    shredded_at: Mapped[datetime | None]
    shelf_file: Mapped[str | None] = mapped_column(String(200))  # the second copy of a backup
    # Bound to the ciphertext and its data key. None: sealed by a release before there were versions.
    version: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("(wrapped_key IS NULL) = (shredded_at IS NOT NULL)", name="shredded_has_no_key"),
        partial_index(
            "uq_secrets_one_current_per_name",
            "owner",
            "name",
            unique=True,
            where="superseded_at IS NULL AND shredded_at IS NULL",
        ),
        Index("ix_secrets_owner_name", "owner", "name"),
    )


class CodeTable(Base):
    """A verification code that somebody typed in. The digits are in a sealed row."""

    __tablename__ = "codes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    migration_pk: Mapped[int] = mapped_column(ForeignKey("number_migrations.id"), index=True)
    entered_at: Mapped[datetime]
    entered_by: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(20), default="entered")
    # Keyed, of its digits: shows the same code typed twice or for two numbers. Removed once no code of then is good.
    tag: Mapped[str | None] = mapped_column(String(64), index=True)
    door: Mapped[str] = mapped_column(String(20), default="command", server_default="command")  # where it was typed

    __table_args__ = (
        CheckConstraint("state IN ('entered', 'verified', 'refused', 'replaced')", name="state_known"),
        partial_index("uq_codes_one_entered_per_migration", "migration_pk", unique=True, where="state = 'entered'"),
    )


class MessageTable(Base):
    """A smoke message: its ids and its state, which only rises. The body is never stored.

    `wamid` is the SHA-256 of Meta's message id, because the id itself holds the recipient's phone number.
    """

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    migration_pk: Mapped[int] = mapped_column(ForeignKey("number_migrations.id"), index=True)
    correlation: Mapped[str] = mapped_column(String(80), unique=True)
    wamid: Mapped[str | None] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="intended", index=True)
    at: Mapped[datetime]
    error: Mapped[int | None]  # Meta's code, where it failed
    sent_at: Mapped[datetime | None]  # these three by Meta's clock
    delivered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]


class OutboxTable(Base):
    """Announcements to the partner's senders, in order, each kept until they have answered."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    migration_pk: Mapped[int] = mapped_column(ForeignKey("number_migrations.id"))
    key: Mapped[str] = mapped_column(String(120), unique=True)
    event: Mapped[str] = mapped_column(String(30))
    epoch: Mapped[int]
    body: Mapped[dict[str, Any]]
    answer: Mapped[str | None] = mapped_column(String(20))
    made_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("answer IS NULL OR answer IN ('done', 'vetoed', 'withdrawn')", name="answer_known"),
        partial_index("ix_outbox_unanswered", "migration_pk", where="answer IS NULL"),
    )


class FieldFactTable(Base):
    """A measurement made at Meta on real numbers; it decides what Meta's pages leave open."""

    __tablename__ = "field_facts"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(String(60))
    measured_at: Mapped[datetime]
    measured_by: Mapped[str] = mapped_column(String(100))
    evidence: Mapped[str] = mapped_column(Text)
    # An answer contradicted it: it is not believed any more, and stays on record.
    refuted_at: Mapped[datetime | None]
    refuted_by: Mapped[str | None] = mapped_column(Text)


class CounterTable(Base):
    """Values that are given once and never again: references and ids of numbers, ids of instances."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)  # the last one that was given


class ImportTable(Base):
    """An import of a fleet. While it is staged, its instances and secrets are written, and no row refers to them."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    state: Mapped[str] = mapped_column(String(20), default="staging")
    holder: Mapped[str] = mapped_column(String(120))
    first_number: Mapped[int] = mapped_column(BigInteger)
    first_instance: Mapped[int] = mapped_column(BigInteger)
    numbers: Mapped[int]
    began_at: Mapped[datetime]
    touched_at: Mapped[datetime]  # by the import, with each batch

    __table_args__ = (CheckConstraint("state IN ('staging', 'dropped', 'done')", name="state_known"),)


class CauseTable(Base):
    """Something that a person has to know of: one row from when it is found until it is over."""

    __tablename__ = "causes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(Text)
    lines: Mapped[list[str]] = mapped_column(JSON)  # one for each number that it concerns
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(100))

    __table_args__ = (partial_index("uq_causes_one_open_per_key", "key", unique=True, where="resolved_at IS NULL"),)


class NoticeTable(Base):
    """A message about a cause to one target, kept until the target has taken it."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    cause_pk: Mapped[int] = mapped_column(ForeignKey("causes.id"))
    target: Mapped[str] = mapped_column(String(40))
    place: Mapped[int]  # among the messages about this cause to this target, from 0
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(Text)
    lines: Mapped[list[str]] = mapped_column(JSON)
    made_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    try_at: Mapped[datetime]  # not before; whoever tries sets it to later first, so that nobody else tries meanwhile
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        UniqueConstraint("cause_pk", "target", "place", name="uq_notices_cause_pk_target_place"),
        CheckConstraint("kind IN ('opened', 'changed', 'reminder', 'resolved')", name="kind_known"),
        partial_index("ix_notices_unsent", "try_at", where="sent_at IS NULL"),
    )


class GatewayPostTable(Base):
    """A post of an SMS gateway that was taken. `key`: the SHA-256 of what names it."""

    __tablename__ = "gateway_posts"

    gateway: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(index=True)
    stored: Mapped[bool]


class WebhookTable(Base):
    """What a webhook said of a number or a WABA of the fleet: words, codes and times, never a text, name or contact.

    `message` is the SHA-256 of Meta's message id, because the id itself holds the other side's phone number.
    """

    __tablename__ = "webhook_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # the same for a copy, however it was batched
    received_at: Mapped[datetime]
    profile: Mapped[str] = mapped_column(String(100))
    waba_id: Mapped[str] = mapped_column(String(40))
    number_pk: Mapped[int | None] = mapped_column(ForeignKey("numbers.id"))  # None: of the WABA as a whole
    field: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(20))
    message: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]]
    correlation: Mapped[str | None] = mapped_column(String(80))  # of a smoke message of ours
    applied_at: Mapped[datetime | None]  # when its effects were recorded

    __table_args__ = (
        partial_index("ix_webhook_events_not_applied", "id", where="applied_at IS NULL"),
        CheckConstraint("kind IN ('message', 'status', 'error', 'change')", name="kind_known"),
        Index("ix_webhook_events_received_at", "received_at"),
        Index("ix_webhook_events_number_pk", "number_pk"),
        Index("ix_webhook_events_waba_id", "waba_id"),
        Index("ix_webhook_events_message", "message"),
    )


event.listen(Base.metadata, "before_create", complete_indexes)

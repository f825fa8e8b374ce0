"""The one query behind every `Position`, and the row made of its result."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from state.enums import Party, PinProvenance, Side, Status
from state.ledger import gates, outside_failures, terms
from state.models import (
    BudgetCallTable,
    CredentialProfileTable,
    CustomerTable,
    HomeTable,
    InstanceTable,
    MigrationTable,
    NumberTable,
    WabaTable,
    WaveTable,
)
from state.rows import InstanceRow, Position

_ENUMS: Mapping[str, Callable[[str], Any]] = {
    "status": Status,
    "side": Side,
    "served_on": Side,
    "waiting_on": Party,
    "pin_provenance": PinProvenance,
}


@cache
def select_positions() -> Select[*tuple[Any, ...]]:
    """Number migrations with all that a step may need of their numbers. Built once, because every step asks it."""
    migration, number = MigrationTable, NumberTable
    return (
        select(
            migration.id.label("migration_id"),
            number.id.label("number_id"),
            number.ref,
            number.e164,
            number.phone_number_id,
            WabaTable.waba_id,
            CustomerTable.name.label("customer"),
            CustomerTable.hook,
            CustomerTable.traffic,
            CredentialProfileTable.id.label("profile_id"),
            CredentialProfileTable.name.label("profile"),
            CredentialProfileTable.halted_at.label("profile_halted_at"),
            CredentialProfileTable.app_id,
            *instance_columns(),
            WaveTable.name.label("wave"),
            WaveTable.state.label("wave_state"),
            WaveTable.released.label("wave_released"),
            WaveTable.codes.label("wave_codes"),
            WaveTable.smoke.label("wave_smoke"),
            WaveTable.smoke_canary.label("wave_smoke_canary"),
            WaveTable.smoke_hours,
            number.smoke,
            number.reported,
            WabaTable.reported.label("waba_reported"),
            migration.smoke_state,
            migration.smoke_error,
            migration.sends_at,
            migration.receives_at,
            migration.word_at,
            migration.profile_read_at,
            migration.profile_lost,
            migration.limit_lowered,
            foreign_waba().label("foreign_waba"),
            outside_failures.held_for("ref").label("held_for"),
            outside_failures.held_for("page").label("held_for_page"),
            WaveTable.window_start,
            WaveTable.window_end,
            migration.canary,
            migration.released_by_name,
            WaveTable.canary_size.label("wave_canary_size"),
            migration.itinerary,
            migration.because,
            migration.next_step,
            migration.status,
            migration.hold,
            migration.side,
            migration.side_read_at,
            migration.dark_since,
            migration.dark_by_us,
            migration.outage_seconds,
            migration.outage_at_least,
            migration.served_at,
            migration.served_on,
            migration.dark_from,
            migration.dark_until,
            migration.seen_at,
            migration.crossed_at,
            migration.sender_gap_seconds,
            migration.paused_at,
            migration.pause_until,
            migration.senders_try_at,
            migration.senders_tries,
            migration.senders_error,
            migration.waiting_until,
            migration.waiting_on,
            migration.reason,
            migration.signup_ends_at,
            migration.runbook,
            migration.tries,
            migration.spend_reserve,
            migration.epoch,
            migration.lease_holder,
            migration.lease_until,
            migration.fence,
            migration.version,
            migration.calls_kept_until,
            migration.attempts,
            number.language,
            number.code_method,
            number.ready_until,
            number.ready_how,
            number.ready_by,
            number.slot_from,
            number.slot_until,
            number.next_code_method,
            number.next_code_language,
            number.storage_region,
            number.smoke_to,
            number.pin_provenance,
            number.onprem_off_stated_by,
            number.onprem_off_stated_at,
            number.disposition,
            number.route,
            migration.created_at,
            migration.ended_at,
            terms.are_known().label("terms_known"),
            gates.sides_read().label("sides_read"),
            _register_sent().label("register_sent"),
            select(HomeTable.home_id + func.coalesce("." + HomeTable.epoch_mark, "")).scalar_subquery().label("home"),
        )
        .select_from(migration)
        .join(number, number.id == migration.number_pk)
        .join(WabaTable, WabaTable.id == number.waba_pk)
        .join(CustomerTable, CustomerTable.id == WabaTable.customer_id)
        .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
        .outerjoin(InstanceTable, InstanceTable.id == number.instance_pk)
        .outerjoin(WaveTable, WaveTable.id == migration.wave_pk)
    )


def foreign_waba() -> ColumnElement[str]:
    """The WABA that the number's webhooks name, unless it has become its own since: by a corrected inventory."""
    named = MigrationTable.foreign_waba
    return case((named == WabaTable.waba_id, None), else_=named)


def _register_sent() -> ColumnElement[bool]:
    """Not those of the inventory's column `register_calls_72h`: they were made by somebody else."""
    calls = select(BudgetCallTable.id).where(
        BudgetCallTable.phone_number_id == NumberTable.phone_number_id,
        BudgetCallTable.call == "register",
        BudgetCallTable.before_import.is_(False),
    )
    return calls.correlate(NumberTable).exists()


def position_of(row: Mapping[str, Any], is_gone: Callable[[str], bool]) -> Position:
    """`is_gone`: whether the worker of that name is known to have exited."""
    columns = {
        name: row[name] for name in Position.__slots__ if name in row and name not in ("instance", "hook_required")
    }
    columns |= _enums_of(row) | {
        "hook_required": row["traffic"] == "required",
        "instance": instance_of(row),
        "worker_gone": row["lease_holder"] is not None and is_gone(row["lease_holder"]),
    }
    return Position(**columns)


def after_move(position: Position, columns: Mapping[str, Any]) -> Position:
    """The position with these columns of its migration, as a write has returned them."""
    return replace(position, **{**columns, **_enums_of(columns)})


def _enums_of(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _word(kind, name, columns[name]) for name, kind in _ENUMS.items() if name in columns}


def _word(kind: Callable[[str], Any], name: str, value: str | None) -> Any:
    """None for a word that we do not know, where the database allows any: one odd row makes no list unreadable."""
    if not value:
        return None
    try:
        return kind(value)
    except ValueError:
        if name in ("status", "side"):
            raise
        return None


def instance_columns() -> list[Any]:
    """The columns of an instance under the names that `instance_of` reads."""
    return [getattr(InstanceTable, name).label(f"instance_{name}") for name in InstanceRow.__slots__]


def instance_of(row: Mapping[str, Any]) -> InstanceRow | None:
    """None for a number that has no On-Premises deployment."""
    if row["instance_id"] is None:
        return None
    return InstanceRow(**{name: row[f"instance_{name}"] for name in InstanceRow.__slots__})

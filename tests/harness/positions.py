"""Hand-made rows for tests that need no database."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from state.enums import Side, Status, WaveState
from state.rows import Position, WaveRow

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def make_position(**changes: Any) -> Position:
    """N-0001: imported, served by On-Premises, ready for its first step, in no wave."""
    values: dict[str, Any] = {field.name: None for field in fields(Position)}
    values |= {
        "migration_id": 1,
        "number_id": 1,
        "ref": "N-0001",
        "e164": "+15550100001",
        "phone_number_id": "100000000000001",
        "waba_id": "200000000000001",
        "customer": "Acme",
        "hook_required": False,
        "profile_id": 1,
        "profile": "main",
        "app_id": "300000000000001",
        "canary": False,
        "itinerary": "WITH_BACKUP",
        "because": "the client runs and its backup works",
        "next_step": "snapshot",
        "status": Status.READY,
        "hold": False,
        "side": Side.ON_PREMISES,
        "sides_read": True,
        "dark_by_us": False,
        "tries": 0,
        "spend_reserve": False,
        "epoch": 1,
        "worker_gone": False,
        "senders_tries": 0,
        "fence": 0,
        "attempts": 0,
        "language": "en",
        "code_method": "SMS",
        "created_at": NOW,
    }
    return Position(**values | changes)


def make_wave(**changes: Any) -> WaveRow:
    """Wave `north`: planned, two numbers, no window, all of it released."""
    values: dict[str, Any] = {
        "id": 1,
        "name": "north",
        "state": WaveState.PLANNED,
        "released": "all",
        "window_start": None,
        "window_end": None,
        "time_zone": "UTC",
        "canary_size": 0,
        "concurrency": 10,
        "halt_count": None,
        "halt_share": None,
        "because": None,
        "numbers": 2,
    }
    return WaveRow(**values | changes)

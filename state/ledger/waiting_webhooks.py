"""Which webhooks wait until their effects are recorded, and which accounts for the end of what was reported."""

from sqlalchemy import ColumnElement, String, and_, cast, select

from state.models import MigrationTable, WabaTable, WebhookTable


def is_waiting() -> ColumnElement[bool]:
    """Its effects are not recorded, and can be: of a number whose message is being sent, no status is looked at.

    The message is on record with the number's next step, and what is said of it may come before.
    """
    sending = select(MigrationTable.number_pk).where(
        MigrationTable.next_step == "send_smoke", MigrationTable.ended_at.is_(None)
    )
    early = and_(WebhookTable.kind == "status", WebhookTable.number_pk.in_(sending))
    return and_(WebhookTable.applied_at.is_(None), ~early)


def has_end() -> ColumnElement[bool]:
    """Of a WABA: something that is reported of it ends, or has ended, by itself."""
    return and_(WabaTable.reported.is_not(None), cast(WabaTable.reported, String).like('%"until"%'))

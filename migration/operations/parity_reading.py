"""Reads what is true of a number after its move, compares it with what was true before, and keeps the lines.

Changes nothing at a far side.
"""

from collections.abc import Awaitable
from typing import TypeVar

from migration.app import App
from migration.errors import CredentialsRefused, MigrationError, OperationRefused
from migration.operations.parity_lines import After, parity_lines
from migration.operations.parity_wording import Comparison, Line
from migration.steps.number import Number
from state.rows import Position

T = TypeVar("T")


def needs_a_person(lines: tuple[Line, ...]) -> list[Line]:
    return [line for line in lines if line.verdict is Comparison.PERSON]


async def read_parity(app: App, position: Position, *, keep: bool = True) -> tuple[Line, ...]:
    """The lines of one number, which has crossed. `keep`: they become part of its record.

    Raises OperationRefused for a number that has not crossed, CredentialsRefused for a dead token.
    """
    if position.crossed_at is None:
        raise OperationRefused(f"{position.ref} has not crossed, so there is nothing to compare; `cutover status`")
    number = await app.loader.load(position, await app.queries.now())
    after = await _after(number)
    results = {step: number.result_of(step) for step in ("snapshot", "restore_profile")}
    lines = parity_lines(results["snapshot"], results["restore_profile"], after, position.storage_region)
    if keep:
        await app.ledger.parity.keep(position.migration_id, [line.as_json() for line in lines])
    return lines


async def _after(number: Number) -> After:
    phone, unread = number.state.phone_number_id, dict[str, str]()

    async def read(name: str, call: Awaitable[T]) -> T | None:
        try:
            return await call
        except CredentialsRefused:
            raise
        except MigrationError as exc:
            unread[name] = str(exc)
            return None

    apps = await read("subscriptions", number.shared.subscribed_apps())
    templates = await read("templates", number.shared.approved_templates())
    return After(
        profile=await read("profile", number.cloud.profile(phone)),
        details=await read("standing", number.cloud.details(phone)),
        storage=await read("storage", number.cloud.settings(phone)),
        templates=templates,
        subscribed=None if apps is None else any(app.app_id == number.state.app_id for app in apps),
        unread=unread,
    )

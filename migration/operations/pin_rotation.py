"""A new two-step PIN for a number that is on Cloud and whose migration has ended."""

from pydantic import SecretStr

from migration.app import App
from migration.errors import CredentialsRefused, OperationRefused, OutcomeUnknown, Rejected, Transient
from migration.scrubbing.texts import Scrubber, ids_of
from migration.steps.both_sides import read_graph
from state.ledger.pins import NEXT
from state.rows import Position

SEND_WITHIN_S = 5.0


async def check_rotation(app: App, number: str) -> Position:
    """Whether its PIN can be set anew; only reads. Raises NotFound, OperationRefused, Transient, CredentialsRefused."""
    position = await app.queries.positions.find(number)
    if position.ended_at is None:
        raise OperationRefused(f"{position.ref} is being moved, and its steps set its PIN; nothing was changed")
    loaded = await app.loader.load(position, await app.queries.now())
    cloud = await read_graph(loaded)
    if not cloud.registered:
        raise OperationRefused(f"{position.ref} is not registered on Cloud, so no PIN can be set; nothing was changed")
    return position


async def rotate_pin(app: App, number: str, because: str, by: str) -> Position:
    """Set a new PIN through Graph and keep it in place of the one before. Safe to type again after any end.

    The new one is kept before the call, so it is known whether or not an answer comes; a second try sets the same.
    Raises what `check_rotation` raises, and OperationRefused where Graph refuses; then the PIN before is in force.
    """
    position = await check_rotation(app, number)
    owner = f"number:{position.number_id}"
    pin = await app.secret_store.open(owner, NEXT)
    if pin is None:
        pin = await _another(app, owner)
        await app.ledger.pins.stage(position.migration_id, owner, app.secret_store.seal(owner, NEXT, pin))
    loaded = await app.loader.load(position, await app.queries.now())
    try:
        send_by = app.clock.boot_time() + SEND_WITHIN_S
        await loaded.cloud.set_pin(position.phone_number_id, pin, send_by=send_by)
    except (Rejected, CredentialsRefused) as exc:
        await app.ledger.pins.drop(owner)
        raise OperationRefused(f"{position.ref}: Graph refused the new PIN, so the one before it stays: {exc}") from exc
    except (OutcomeUnknown, Transient) as exc:
        again = f"type it again: it sets the same PIN. Until then either of both may be in force ({exc})"
        raise OperationRefused(f"{position.ref}: whether the new PIN was set is not known; {again}") from exc
    because = Scrubber([pin], ids=ids_of(because)).text(because)
    sealed = app.secret_store.seal(owner, "pin", pin)
    await app.ledger.pins.confirm(position.migration_id, position.number_id, sealed, by, because)
    return await app.queries.positions.get(position.migration_id)


async def _another(app: App, owner: str) -> SecretStr:
    """Six digits by chance, and not the ones that are in force."""
    before = await app.secret_store.open(owner, "pin")
    while True:
        pin = SecretStr(f"{int.from_bytes(app.randomness(8)) % 1_000_000:06d}")
        if before is None or pin.get_secret_value() != before.get_secret_value():
            return pin

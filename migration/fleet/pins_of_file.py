"""PINs in a corrected inventory: an old file says nothing about a PIN that was refused, or set by cutover, since."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import SecretStr

from migration.errors import MigrationError
from migration.fleet.bad_inventory import BadRow
from migration.fleet.row_sealer import RowSealer
from migration.vault.store import SecretStore
from state.enums import PinProvenance
from state.ledger.fleet_rows import NewNumber
from state.rows import Position

SET_BY_CUTOVER = frozenset({PinProvenance.SET_BY_US, PinProvenance.SET_ON_CLOUD})
OLDER = "cutover has set another PIN since; empty the cell, or `cutover resolve NUMBER --pin-handed-in` if it is right"


async def leave_known_pins(
    rows: Sequence[NewNumber], sealer: RowSealer, known: Mapping[str, Position], secrets: SecretStore
) -> tuple[list[NewNumber], list[BadRow]]:
    """The rows without the PINs that are kept already, and those that name an older one than cutover has set.

    A PIN that Meta has refused is kept and is not known to be right: handed in once more by the same file, it would be
    sent a second time. `known`: by phone number id.
    """
    left, bad = [], []
    for new in rows:
        position, pin = known.get(new.phone_number_id), sealer.rows[new.line].pin
        kept = await _kept(secrets, position) if position is not None and pin is not None else None
        if position is None or pin is None or kept is None:
            left.append(new)
        elif kept.get_secret_value() == pin.get_secret_value():
            sealer.rows[new.line] = replace(sealer.rows[new.line], pin=None)
            left.append(replace(new, has_pin=False))
        else:
            left.append(new)
            if position.pin_provenance in SET_BY_CUTOVER:
                bad.append(BadRow(new.line, "pin", OLDER))
    return left, bad


async def _kept(secrets: SecretStore, position: Position) -> SecretStr | None:
    """None where there is none, or where it does not open: then that of the file takes its place."""
    try:
        return await secrets.open(f"number:{position.number_id}", "pin")
    except MigrationError:
        return None

"""Another proof of a number that was moved, asked for by a person. `migration/waves/asked_proofs.py` sends it."""

from migration.app import App
from migration.errors import OperationRefused
from state.enums import SmokeMode
from state.errors import Conflict
from state.ledger.proof_requests import NewProof
from state.proof import NOT_TO_CLOUD, SENDING, is_moved, mode_of
from state.rows import Position

LOOKS_LIKE = "smoke-"  # how the correlation ids of smoke messages begin


async def ask_for_proof(
    app: App, number: str, mode: SmokeMode | None, because: str | None, by: str, *, after: int | None = None
) -> Position:
    """How a number is proved from now on; of a moved number, also a message, where that mode sends one.

    Nothing is sent here. `after`: as in NewProof. Raises NotFound, and OperationRefused where it
    is not moved and no mode is given, nothing could be sent, or a message is under way; then nothing was changed.
    """
    position = await app.queries.positions.find(number)
    if position.itinerary in NOT_TO_CLOUD or (position.ended_at is not None and not is_moved(position)):
        raise OperationRefused(
            f"{position.ref} is not moved to Cloud, so there is nothing to prove; nothing was changed"
        )
    if not is_moved(position) and mode is None:
        raise OperationRefused(
            f"{position.ref} is still being moved, and its own step sends its message; nothing was changed"
        )
    chosen = mode or mode_of(position)
    correlation = None
    if is_moved(position) and chosen in SENDING:
        if (position.smoke_to or app.admin.smoke.to) is None:
            raise OperationRefused(
                f"{position.ref}: no recipient is named for it (`smoke_to` of the inventory, or `to` of `[smoke]`); "
                "nothing was changed"
            )
        correlation = f"{LOOKS_LIKE}{app.randomness(8).hex()}"
    elif is_moved(position) and mode is None:
        raise OperationRefused(
            f"{position.ref} is proved by {chosen}, which sends no message; choose another with --smoke; "
            "nothing was changed"
        )
    try:
        await app.ledger.proof_requests.ask(
            position.migration_id, NewProof(mode, correlation, by, because or None, after)
        )
    except Conflict as exc:
        raise OperationRefused(f"{position.ref}: {exc}") from exc
    return await app.queries.positions.get(position.migration_id)

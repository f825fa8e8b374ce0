"""Sends the messages that persons have asked for to prove a moved number again, each at most once."""

from migration.app import App
from migration.errors import CredentialsRefused, MigrationError, OutcomeUnknown, Rejected, Transient
from migration.steps.send_smoke import recipient_of, send_message
from state.ledger.proof_requests import AskedMessage
from state.proof import is_moved, message_key

SEND_WITHIN_S = 5.0


async def send_asked(app: App) -> int:
    """Send what persons have asked for and nobody has taken, each at most once. Returns how many were taken."""
    taken = 0
    for asked in await app.ledger.proof_requests.unsent():
        if app.stop.requested:
            break
        if asked.is_late:
            await app.ledger.proof_requests.withdraw(asked, "nobody sent it in time; ask for it again", taken=False)
        elif await app.ledger.proof_requests.take(asked):
            taken += 1
            await _send(app, asked)
    return taken


async def _send(app: App, asked: AskedMessage) -> None:
    """The row says `unknown` before the call, and stays so where no answer comes."""
    requests = app.ledger.proof_requests
    try:
        position = await app.queries.positions.get(asked.migration_pk)
        number = await app.loader.load(position, await app.queries.now())
        to = recipient_of(number)
        if to is None or not is_moved(position):
            await requests.withdraw(asked, "it has no recipient any more, or is not on Cloud", taken=True)
            return
    except MigrationError as exc:  # before the call
        await requests.withdraw(asked, str(exc), taken=True)
        return
    try:
        wamid = await send_message(number, to, asked.correlation, app.clock.boot_time() + SEND_WITHIN_S)
    except (Transient, CredentialsRefused) as exc:  # the call had no effect
        await requests.withdraw(asked, str(exc), taken=True)
    except Rejected as exc:
        await requests.refused(asked, exc.error_code, str(exc))
    except OutcomeUnknown:
        return
    else:
        await requests.accepted(asked, message_key(wamid))

"""A PIN or a token for a person's eyes: found, and recorded before it is shown."""

from dataclasses import dataclass

from pydantic import SecretStr

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.wording import number_label
from migration.scrubbing.texts import Scrubber, ids_of
from state.errors import NotFound


@dataclass(frozen=True, slots=True)
class Revealed:
    """`name`: what has to be typed to confirm. `migration_id`: whose record says so; None: the home's."""

    name: str
    label: str
    what: str
    value: SecretStr
    migration_id: int | None = None


async def find_secret(app: App, name: str, *, token: bool) -> Revealed:
    """Raises NotFound for an unknown number or profile, OperationRefused where it has no such secret."""
    if token:
        return await _find_token(app, name)
    position = await app.queries.positions.find(name)
    pin = await app.secret_store.open(f"number:{position.number_id}", "pin")
    if pin is None:
        raise OperationRefused(f"no PIN is kept for {number_label(position)}; see `cutover runbook pin-unknown`")
    return Revealed(position.ref, number_label(position), "PIN", pin, position.migration_id)


async def _find_token(app: App, name: str) -> Revealed:
    profile_id = await app.queries.fleet.profile_id(name)
    token = await app.secret_store.open(f"profile:{profile_id}", "token") if profile_id is not None else None
    if token is None:
        raise NotFound(f"no token is kept for a credential profile {name}; `cutover profile` lists them")
    return Revealed(name, f"profile {name}", "token", token)


async def note_revealed(app: App, found: Revealed, by: str, because: str) -> None:
    """Write who sees what, and why. Only then may it be shown."""
    because = Scrubber([found.value], ids=ids_of(because)).text(because)
    await app.ledger.revelations.record(found.what, found.name, by, because, found.migration_id)

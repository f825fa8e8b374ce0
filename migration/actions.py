"""What a person asks for, in one place for the command line and Prefect's forms. Each checks, changes, and says."""

import re

from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from migration.bootstrap import App
from migration.clients.cloud import CloudApi
from migration.clients.cloud_models import TokenFacts
from migration.errors import CredentialsRefused, MigrationError
from migration.fleet.importing import RowSealer, profile_secrets
from migration.itinerary import ITINERARIES, itinerary_named
from state.errors import Conflict, NotFound, StateError
from state.ledger.fleet import NewProfile
from state.queries import WaveRow
from state.rows import Position
from state.sides import WaveState


class Refused(MigrationError):
    """What was asked for makes no sense as things are; nothing was changed."""


# What an entry point turns into one line; anything else is ours to mend and stays loud.
KNOWN: tuple[type[Exception], ...] = (MigrationError, StateError, SQLAlchemyError, ConnectionError)
CODE = re.compile(r"\d{6}")


async def enter_code(app: App, named: str, code: SecretStr, by: str) -> Position:
    """Store a verification code for the number, sealed, and wake its migration up.

    Raises NotFound, Refused for what is not a code or for a number that needs none.
    """
    typed = code.get_secret_value().replace("-", "").replace(" ", "")
    if CODE.fullmatch(typed) is None:
        raise Refused("a code is six digits, as in 123-456; nothing was stored")
    at = await app.queries.find(named)
    if at.ended_at is not None:
        raise Refused(f"{at.ref} is {at.status}; it needs no code")
    if at.next_step not in ("request_code", "verify_code"):
        raise Refused(f"{at.ref} is at {at.next_step} and needs no code now; `cutover show {at.ref}`")
    owner = f"number:{at.number_id}"
    sealed = app.keeper.sealed(owner, "code", SecretStr(typed))
    await app.ledger.people.enter_code(at.migration_id, sealed, owner, by)
    return await app.queries.position(at.migration_id)


async def begin_wave(app: App, name: str) -> WaveRow:
    """Let a planned wave run. A running one runs on. Raises NotFound, or Refused for one that was held or stopped."""
    row = await app.queries.wave(name)
    if row.numbers == 0:
        raise Refused(f"wave {name} is empty; nothing was started")
    if row.state is WaveState.PLANNED:
        try:
            await app.ledger.waves.move(name, WaveState.RUNNING, allowed=[WaveState.PLANNED])
        except Conflict:
            pass  # somebody else began it in this very moment
        return await app.queries.wave(name)
    if row.state in (WaveState.HELD, WaveState.HALTED, WaveState.STOPPED):
        because = f": {row.because}" if row.because else ""
        raise Refused(f"wave {name} is {row.state}{because}; `cutover release {name}` lets it go")
    return row


async def renew_profile(app: App, name: str) -> TokenFacts:
    """Take a profile's secrets from the admin file anew, once Graph has accepted the token.

    Raises NotFound, BadSetting, CredentialsRefused; then the old ones stay.
    """
    if name not in app.admin.profiles:
        raise NotFound(f"{app.settings.admin_path} names no profile {name}")
    secrets = profile_secrets(name, app.admin, app.settings.admin_path.parent)
    wires = app.far.wires
    cloud = CloudApi(wires.graph, wires.fresh, app.far.graph_base, secrets["token"], secrets.get("app_secret"))
    facts = await cloud.debug_token()
    if not facts.is_valid:
        raise CredentialsRefused(f"Graph does not accept the new token of profile {name}", None, "not valid")
    new = NewProfile(name, app.admin.profiles[name].app_id)
    await app.ledger.fleet.replace_profile_secrets(new, RowSealer(app.keeper, {name: secrets}))
    await app.ledger.people.unhalt_profile(name)
    return facts


async def switch_way(app: App, named: str, itinerary: str, because: str, by: str) -> Position:
    """Put a number on another itinerary, at its first step. Refused while an attempt is open, or once it has crossed.

    Raises NotFound, Conflict, LeaseLost, Refused; then nothing was changed.
    """
    at = await app.queries.find(named)
    try:
        way = itinerary_named(itinerary.upper())
    except ValueError as exc:
        raise Refused(f"there is no itinerary {itinerary}; there are {', '.join(ITINERARIES)}") from exc
    if at.itinerary == way.name:
        raise Refused(f"{at.ref} is on {way.name} already")
    await app.ledger.people.switch(at.migration_id, way.name, way.first, because, by)
    return await app.queries.position(at.migration_id)

"""Taking a fleet in: check the file, check it against Graph, write it in one transaction, look at every number."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from migration.app import App
from migration.clients.graph import GraphApi
from migration.clients.graph_models import CloudNumber
from migration.errors import CredentialsRefused, Rejected
from migration.fleet.census import Census, CensusNumber, CensusResult
from migration.fleet.choose_itinerary import DELETED
from migration.fleet.inventory import BadRow, Inventory, InventoryRow, read_inventory
from migration.settings import Admin, ProfileSettings
from migration.vault.store import SecretStore
from state.ledger.corrections import Corrected
from state.ledger.fleet_import import NewNumber, NewProfile
from state.rows import SealedSecret


class BadInventory(Exception):
    """Nothing was written. `bad` has every row that is wrong and why."""

    def __init__(self, path: Path, bad: Sequence[BadRow]) -> None:
        super().__init__(str(path), tuple(bad))
        self.path = path
        self.bad = tuple(bad)


@dataclass(slots=True)
class RowSealer:
    """Seals the secrets of rows as they get their ids."""

    keeper: SecretStore
    profiles: Mapping[str, Mapping[str, SecretStr]]
    rows: Mapping[int, InventoryRow] = field(default_factory=dict)  # by line

    def profile(self, name: str, owner: str) -> Sequence[SealedSecret]:
        return [self.keeper.sealed(owner, what, value) for what, value in self.profiles[name].items()]

    def number(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        pin = self.rows[new.line].pin
        return [self.keeper.sealed(owner, "pin", pin)] if pin is not None else []

    def instance(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        password = self.rows[new.line].password
        return [self.keeper.sealed(owner, "password", password)] if password is not None else []


async def import_fleet(app: App, path: Path, by: str, tick: Callable[[int, int], None]) -> tuple[CensusResult, ...]:
    """Raises BadInventory, Conflict, CredentialsRefused, Transient: then nothing was written.

    `tick(done, of)` is told how many numbers have been looked at.
    """
    rows, seen, sealer = await _checked(app, path)
    profiles = [NewProfile(name, app.admin.profiles[name].app_id) for name in sealer.profiles]
    await app.ledger.fleet_import.take_in(profiles, rows, sealer)
    return await begin_migrations(app, seen, by, tick)


async def correct_fleet(
    app: App, path: Path, by: str, tick: Callable[[int, int], None]
) -> tuple[tuple[Corrected, ...], tuple[CensusResult, ...]]:
    """Take a file over what was imported before. Which numbers were corrected, and which of them begin anew.

    Raises as `import_fleet` does, and then nothing was written.
    """
    rows, seen, sealer = await _checked(app, path)
    corrected = await app.ledger.corrections.correct(rows, sealer)
    again = {one.number_id for one in corrected if one.again}
    return corrected, await begin_migrations(app, seen, by, tick, again)


async def _checked(app: App, path: Path) -> tuple[list[NewNumber], dict[str, CloudNumber], RowSealer]:
    """The rows of a file that is right in itself, by the admin file, and by what Graph shows."""
    inventory = read_inventory(path, app.admin)
    if inventory.bad:
        raise BadInventory(path, inventory.bad)
    names = sorted({row.new.profile for row in inventory.rows})
    told = {name: profile_secrets(name, app.admin, app.settings.admin_path.parent) for name in names}
    clouds = {name: _cloud(app, told[name]) for name in names}
    seen = await _seen_by_graph(inventory, clouds, path)
    sealer = RowSealer(app.secret_store, told, {row.new.line: row for row in inventory.rows})
    return [row.new for row in inventory.rows], seen, sealer


def profile_secrets(name: str, admin: Admin, folder: Path) -> dict[str, SecretStr]:
    """The secrets of a credential profile, from where the admin file says they are. Raises BadSetting."""
    settings: ProfileSettings = admin.profiles[name]
    found = {"token": settings.token.read(f"profile {name}, token", folder)}
    for what in ("app_secret", "verify_token"):
        ref = getattr(settings, what)
        if ref is not None:
            found[what] = ref.read(f"profile {name}, {what}", folder)
    return found


def _cloud(app: App, secrets: Mapping[str, SecretStr]) -> GraphApi:
    wires = app.clients.http
    return GraphApi(wires.graph, wires.fresh, app.clients.graph_base, secrets["token"], secrets.get("app_secret"))


async def _seen_by_graph(inventory: Inventory, clouds: Mapping[str, GraphApi], path: Path) -> dict[str, CloudNumber]:
    """Every number as its WABA lists it: one paged read a WABA, not one a number."""
    seen: dict[str, CloudNumber] = {}
    bad: list[BadRow] = []
    wabas = {(row.new.profile, row.new.waba_id) for row in inventory.rows}
    for profile, waba_id in sorted(wabas):
        lines = [row.new for row in inventory.rows if (row.new.profile, row.new.waba_id) == (profile, waba_id)]
        try:
            listed = {number.id: number for number in await clouds[profile].numbers(waba_id)}
        except CredentialsRefused:
            raise
        except Rejected as exc:
            bad.append(BadRow(lines[0].line, "waba_id", f"profile {profile} may not read it: {exc.details}"))
            continue
        seen |= listed
        for new in lines:
            number = listed.get(new.phone_number_id) or await _deleted(clouds[profile], new.phone_number_id)
            bad += _against_graph(new, number)
            if number is not None:
                seen[number.id] = number
    if bad:
        raise BadInventory(path, bad)
    return seen


async def _deleted(cloud: GraphApi, phone_number_id: str) -> CloudNumber | None:
    """A number that no WABA lists, and of which Graph says that it was deleted. None: it says something else."""
    try:
        number = await _by_itself(cloud, phone_number_id)
    except CredentialsRefused:
        raise
    except Rejected:
        return None
    return number if number.status == DELETED else None


async def _by_itself(cloud: GraphApi, phone_number_id: str) -> CloudNumber:
    """A number as its own node shows it; Graph says in two ways that one was deleted.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes (33)
    """
    try:
        return await cloud.number(phone_number_id)
    except Rejected as exc:
        if exc.code != 33:
            raise
        return CloudNumber(id=phone_number_id, status=DELETED)


def _against_graph(new: NewNumber, number: CloudNumber | None) -> list[BadRow]:
    if number is None:
        reason = f"WABA {new.waba_id} has no number {new.phone_number_id}"
        return [BadRow(new.line, "phone_number_id", reason)]
    shown = "".join(filter(str.isdigit, number.display_phone_number))
    if shown and shown != new.e164.lstrip("+"):
        return [BadRow(new.line, "e164", f"Graph shows another number for {new.phone_number_id}")]
    return []


async def begin_migrations(
    app: App,
    seen: Mapping[str, CloudNumber],
    by: str,
    tick: Callable[[int, int], None],
    again: Collection[int] = (),
) -> tuple[CensusResult, ...]:
    """Begin the migration of every number that has neither one nor a disposition, and of those in `again`.

    Takes up where an import was cut off after its rows were written.
    """
    known = []
    for row in await app.queries.without_way(again):
        cloud = seen.get(row.phone_number_id)
        if cloud is None:
            api = await app.clients.cloud(row.profile_id, row.profile)
            cloud = await _by_itself(api, row.phone_number_id)
        known.append(CensusNumber(row.number_id, row.ref, row.forced, cloud, await app.clients.onprem(row.instance)))
    done = 0

    def ticked() -> None:
        nonlocal done
        done += 1
        tick(done, len(known))

    facts = await app.queries.field_facts()
    census = Census(app.ledger, app.clock.now, app.randomness, facts.get("code_while_on_premises"))
    return await census.run(known, by, ticked)

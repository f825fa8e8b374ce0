"""Imports a fleet: checks the file, checks it against Graph, writes it in one transaction, begins the migrations."""

from collections.abc import Callable, Collection, Iterator, MutableMapping
from functools import partial
from pathlib import Path

from migration.app import App
from migration.clients.graph_models import CloudNumber
from migration.engine.itineraries import FORWARD
from migration.fleet.bad_inventory import BadInventory, BadRow
from migration.fleet.census import Census, CensusNumber, CensusResult, CensusTarget
from migration.fleet.inventory import read_inventory
from migration.fleet.listed_numbers import read_listed_numbers, read_number, reject_another_number
from migration.fleet.pins_of_file import leave_known_pins
from migration.fleet.profile_secrets import graph_client, read_profile_secrets
from migration.fleet.row_sealer import RowSealer
from migration.preflight.clear_addresses import clear_graph, clear_hook, clear_instance, is_under_way
from state.ledger.corrections import CorrectedNumber
from state.ledger.fleet_rows import NewNumber
from state.ledger.profiles import NewProfile
from state.rows import UndecidedRow


async def import_fleet(app: App, path: Path, by: str, tick: Callable[[int, int], None]) -> tuple[CensusResult, ...]:
    """Import a file and begin the migration of each number. `tick(done, total)` is called after each number.

    Raises BadInventory, Conflict, CredentialsRefused or Transient; then nothing was written.
    """
    rows, listed, sealer = await _read_and_check(app, path)
    profiles = [NewProfile(name, app.admin.profiles[name].app_id) for name in sealer.profiles]
    await app.ledger.fleet_import.import_numbers(profiles, rows, sealer, holder=app.holder, by=by, is_gone=app.is_gone)
    del rows, sealer  # what is not needed any more: of 50,000 numbers it takes a hundred megabytes
    return await begin_migrations(app, listed, by, tick)


async def correct_fleet(
    app: App, path: Path, by: str, tick: Callable[[int, int], None]
) -> tuple[tuple[CorrectedNumber, ...], tuple[CensusResult, ...]]:
    """Replace the rows of known numbers by those of a file: the numbers corrected, and those that begin anew.

    Raises as `import_fleet` does, and LeaseLost while a worker holds a number that is newly forced on an itinerary;
    then nothing was written.
    """
    board = await app.queries.positions.board()
    rows, listed, sealer = await _read_and_check(app, path, {row.e164 for row in board if is_under_way(row)})
    known = {row.phone_number_id: row for row in board}
    rows, older = await leave_known_pins(rows, sealer, known, app.secret_store)
    if older:
        raise BadInventory(path, older)
    first_steps = {itinerary.name.value: itinerary.first for itinerary in FORWARD}
    corrected = await app.ledger.corrections.correct(rows, sealer, by, first_steps)
    again = {number.number_id for number in corrected if number.may_restart}
    return corrected, await begin_migrations(app, listed, by, tick, again)


async def begin_migrations(
    app: App,
    listed: MutableMapping[str, CloudNumber],
    by: str,
    tick: Callable[[int, int], None],
    again: Collection[int] = (),
) -> tuple[CensusResult, ...]:
    """Begin the migration of every number that has neither a migration nor a disposition, and of those in `again`.

    This completes an import that was interrupted after its rows were written. `listed` is what Graph showed already, by
    phone number id, and is used up; other numbers are read. `again` are number ids. A number that cannot be looked at
    keeps no other one from its migration; it has none yet, and the next call looks again.
    """

    async def load(row: UndecidedRow) -> CensusNumber:
        cloud = listed.pop(row.phone_number_id, None)
        if cloud is None:
            readings = await app.clients.readings(row.profile_id, row.profile, row.app_id, row.waba_id)
            cloud = await read_number(readings, row.phone_number_id)
            reject_another_number(row.e164, cloud)
        onprem = await app.clients.onprem(row.instance, row.e164)
        return CensusNumber(row.number_id, row.ref, row.e164, row.forced, cloud, onprem)

    rows = await app.queries.fleet.undecided(again)
    numbers = [CensusTarget(row.ref, row.e164, partial(load, row)) for row in rows]
    done = 0

    def count_one() -> None:
        nonlocal done
        done += 1
        tick(done, len(numbers))

    facts = await app.queries.fleet.field_facts()
    census = Census(app.ledger, app.clock.now, app.randomness, facts.get("code_while_on_premises"))
    return await census.run(numbers, by, count_one)


async def _read_and_check(
    app: App, path: Path, under_way: Collection[str] = ()
) -> tuple[list[NewNumber], dict[str, CloudNumber], RowSealer]:
    """The rows of a file, what Graph shows of them, and the sealer of their secrets. Raises BadInventory.

    `under_way`: by E.164, the numbers that are not refused for an address without encryption.
    """
    inventory = read_inventory(path, app.admin)
    rows = [row.new for row in inventory.rows]
    wrong = inventory.bad or tuple(bad for row in rows if row.e164 not in under_way for bad in _clear(app, row))
    if wrong:
        raise BadInventory(path, wrong)
    names = sorted({row.profile for row in rows})
    secrets = {name: read_profile_secrets(name, app.admin, app.settings.admin_path.parent) for name in names}
    clients = {name: graph_client(app, name, secrets[name]) for name in names}
    listed, bad = await read_listed_numbers(rows, clients)
    if bad:
        raise BadInventory(path, bad)
    return rows, listed, RowSealer(app.secret_store, secrets, {row.new.line: row for row in inventory.rows})


def _clear(app: App, row: NewNumber) -> Iterator[BadRow]:
    """What of a row would be sent without encryption."""
    graph = clear_graph(app.admin, app.settings, row.profile)
    if graph is not None:
        yield BadRow(row.line, "profile", graph)
    hook = clear_hook(app.admin, row.hook)
    if hook is not None:
        yield BadRow(row.line, "hook", hook)
    instance = row.instance
    if instance is not None:
        problem = clear_instance(app.admin, row.profile, instance.base_url, allowed=instance.clear_http)
        if problem is not None:
            yield BadRow(row.line, "onprem_url", problem)

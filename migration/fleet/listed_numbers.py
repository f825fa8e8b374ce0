"""What Graph shows of the numbers of an inventory, and whether their rows agree with it."""

from collections.abc import Mapping, Sequence

from migration.clients.graph import GraphApi
from migration.clients.graph_errors import PERMISSIONS
from migration.clients.graph_models import CloudNumber
from migration.clients.shared_readings import WabaReadings
from migration.errors import CredentialsRefused, Rejected, Transient
from migration.fleet.bad_inventory import BadRow
from migration.fleet.choose_itinerary import DELETED
from migration.scrubbing.masking import masked
from migration.scrubbing.texts import as_safe
from state.ledger.fleet_rows import NewNumber
from state.phone_spelling import is_another_number

OBJECT_DOES_NOT_EXIST = 33  # Graph's error code


async def read_listed_numbers(
    rows: Sequence[NewNumber], graph_clients: Mapping[str, GraphApi]
) -> tuple[dict[str, CloudNumber], list[BadRow]]:
    """All numbers of the rows' WABAs by phone number id, and the rows that do not agree with Graph.

    `graph_clients` are by name of the profile. One paged read per WABA, not one per number. What could not be read now
    is in neither: such a number is compared when it is looked at by itself.
    Raises CredentialsRefused, and Transient if no WABA at all could be read.
    """
    numbers: dict[str, CloudNumber] = {}
    bad: list[BadRow] = []
    unread: list[Transient] = []
    wabas = _by_waba(rows)
    for (profile, waba_id), waba_rows in sorted(wabas.items()):
        try:
            listed = {number.id: number for number in await graph_clients[profile].numbers(waba_id)}
        except Transient as exc:
            unread.append(exc)
            continue
        except Rejected as exc:
            _raise_if_of_all(exc)
            details = exc.details.replace(waba_id, "it")  # in a shifted file the id may be somebody's password
            bad.append(BadRow(waba_rows[0].line, "waba_id", f"profile {profile} may not read it: {details}"))
            continue
        numbers |= listed
        wrong: list[BadRow] = []
        for row in waba_rows:
            number = listed.get(row.phone_number_id)
            if number is None:
                try:
                    number = await _read_deleted(graph_clients[profile], row.phone_number_id)
                except Transient:
                    continue
            wrong += _compare(row, number)
            if number is not None:
                numbers[number.id] = number
        if not listed and len(wrong) == len(waba_rows):
            # Graph answers so also where nobody has assigned the WABA to the token: no number is wrong for that.
            why = f"Graph shows no number of it to the token of profile {profile}; is the WABA assigned to it?"
            wrong = [BadRow(waba_rows[0].line, "waba_id", why)]
        bad += wrong
    if unread and len(unread) == len(wabas):
        raise unread[0]
    return numbers, bad


def _by_waba(rows: Sequence[NewNumber]) -> Mapping[tuple[str, str], Sequence[NewNumber]]:
    """The rows by profile and WABA. Made in one pass: 50,000 rows may be of 5,000 WABAs."""
    wabas: dict[tuple[str, str], list[NewNumber]] = {}
    for row in rows:
        wabas.setdefault((row.profile, row.waba_id), []).append(row)
    return wabas


async def read_number(graph: GraphApi | WabaReadings, phone_number_id: str) -> CloudNumber:
    """One number, by its own node or from the list of its WABA; a deleted one too.

    Graph shows in two ways that a number was deleted: by its status, and by error 33.
    https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
    """
    try:
        return await graph.number(phone_number_id)
    except Rejected as exc:
        if exc.error_code != OBJECT_DOES_NOT_EXIST:
            raise
        return CloudNumber(id=phone_number_id, status=DELETED)


def reject_another_number(e164: str, number: CloudNumber) -> None:
    """For a number that was read by its own node after the import. Raises Rejected where Graph shows another one."""
    shown = number.display_phone_number
    if is_another_number(e164, shown):
        details = as_safe(f"Graph shows {masked(shown)} for its id, the inventory {masked(e164)}")
        raise Rejected(f"{details}; `cutover import FILE --correct`", None, details)


def _raise_if_of_all(exc: Rejected) -> None:
    """A token that is not accepted concerns every row; one that lacks a permission may lack it for this WABA alone."""
    if isinstance(exc, CredentialsRefused) and exc.error_code not in PERMISSIONS:
        raise exc


async def _read_deleted(graph: GraphApi, phone_number_id: str) -> CloudNumber | None:
    """A number that no WABA lists, if Graph says that it was deleted; else None."""
    try:
        number = await read_number(graph, phone_number_id)
    except Rejected as exc:
        _raise_if_of_all(exc)
        return None
    return number if number.status == DELETED else None


def _compare(row: NewNumber, number: CloudNumber | None) -> list[BadRow]:
    if number is None:
        return [BadRow(row.line, "phone_number_id", "its WABA has no number of this id")]
    shown = number.display_phone_number
    if is_another_number(row.e164, shown):
        reason = f"Graph shows {masked(shown)} for its id, not {masked(row.e164)}"
        return [BadRow(row.line, "e164", reason)]
    return []

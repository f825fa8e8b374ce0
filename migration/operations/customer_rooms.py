"""The customers' rooms: a signed link that ends, for one number, and what its customer may do there.

A link holds the id of the number, the second in which it ends and the version of the room, and a keyed hash over all
three: a changed character, another number's hash, an ended link and a revoked one are refused alike.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from migration.app import App
from migration.errors import MigrationError, OperationRefused
from migration.operations import at_the_phone, numbers
from migration.operations.at_the_phone import Asked, NextCode
from migration.operations.code_text import codes_in
from migration.operations.received_codes import CodeAnswer, CodeVerdict, code_outcome, take_code
from state.queries.people import CustomerRow, RoomRow
from state.record_key import RecordKey, record_key_of
from state.rows import Position

IN_ITS_ROOM = "the customer, in its room"
LINK_LASTS = timedelta(days=14)
LONGEST_LINK = timedelta(days=60)
PATH = "/room/"
_TOKEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,12})\.([0-9]{1,9})\.([0-9a-f]{32})")


class RoomClosed(MigrationError):
    """A link that opens no room. It says the same whatever is wrong, so that nobody learns which part was right."""

    def __init__(self) -> None:
        super().__init__(
            "this link is not good any more, or was copied only in part; ask whoever sent it for a new one"
        )


@dataclass(frozen=True, slots=True)
class RoomLink:
    """One row of the file that a partner sends out by its own channel."""

    ref: str
    e164: str
    customer: str
    contact: str | None
    language: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """What a page shows: one number, its customer, and until when the link is good."""

    position: Position
    customer: CustomerRow | None
    row: RoomRow
    expires_at: datetime

    @property
    def consented(self) -> bool:
        return self.row.consented_at is not None or (self.customer is not None and self.customer.consent_at is not None)


async def make_links(
    app: App, board: Sequence[Position], base_url: str, by: str, lasts: timedelta = LINK_LASTS
) -> tuple[RoomLink, ...]:
    """A link for each number that has not ended. Raises OperationRefused, and then nothing was written."""
    if not timedelta() < lasts <= LONGEST_LINK:
        raise OperationRefused(f"a link lasts from an hour to {LONGEST_LINK.days} days; nothing was written")
    live = [position for position in board if position.ended_at is None]
    if not live:
        raise OperationRefused("there is no number that has still to be moved; nothing was written")
    expires_at = (await app.queries.now() + lasts).replace(microsecond=0)
    versions = await app.ledger.rooms.open([position.number_id for position in live], expires_at, by)
    customers = {row.name: row for row in await app.queries.people.customers()}
    key = _key(app)
    return tuple(
        RoomLink(
            position.ref,
            position.e164,
            position.customer,
            customers[position.customer].contact,
            customers[position.customer].language or position.language,
            base_url.rstrip("/") + PATH + token_of(key, position.number_id, expires_at, versions[position.number_id]),
            expires_at,
        )
        for position in live
    )


def token_of(key: RecordKey, number_id: int, expires_at: datetime, version: int) -> str:
    parts = f"{number_id}.{int(expires_at.timestamp())}.{version}"
    return f"{parts}.{key.hash('room', parts)[:32]}"


async def open_room(app: App, token: str) -> Room:
    """Raises RoomClosed."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise RoomClosed
    number_id, ends, version = (int(part) for part in match.groups()[:3])
    expires_at = datetime.fromtimestamp(min(ends, 2**35), UTC)
    good = hmac.compare_digest(token, token_of(_key(app), number_id, expires_at, version))
    if not good or await app.queries.now() >= expires_at:
        raise RoomClosed
    row = await app.queries.people.room(number_id)
    position = await app.queries.people.position_of_number(number_id)
    if row is None or row.version != version or row.revoked_at is not None or position is None:
        raise RoomClosed
    return Room(position, await app.queries.people.customer(position.customer), row, expires_at)


async def enter_room(app: App, token: str) -> Room:
    """As `open_room`, for the page itself: it is noted that somebody opened it."""
    room = await open_room(app, token)
    await app.ledger.rooms.entered(room.row.number_id)
    return room


async def give_consent(app: App, token: str) -> Room:
    """The customer agrees to the move. A second time changes nothing."""
    room = await open_room(app, token)
    await app.ledger.rooms.consent(room.row.number_id)
    return await open_room(app, token)


async def send_code_now(app: App, token: str, next_code: NextCode | None = None) -> Asked:
    """The customer is at the phone. Raises RoomClosed, or OperationRefused as `ask_code` does, and before consent."""
    room = await _with_consent(app, token)
    return await at_the_phone.ask_code(app, room.position.ref, how="room", by=IN_ITS_ROOM, next_code=next_code)


async def book_in_room(app: App, token: str, start: datetime, end: datetime) -> Position:
    """Raises RoomClosed, or OperationRefused as `book_slot` does, and before consent."""
    room = await _with_consent(app, token)
    return await at_the_phone.book_slot(app, room.position.ref, start, end, IN_ITS_ROOM)


async def cancel_in_room(app: App, token: str) -> Position:
    room = await open_room(app, token)
    return await at_the_phone.cancel_slot(app, room.position.ref, IN_ITS_ROOM)


async def code_in_room(app: App, token: str, text: SecretStr) -> CodeAnswer:
    """A code that the customer types. After each one the room takes none for longer, until one was right.

    A text that holds no code, or several, is no guess: whoever has typed five digits may type the sixth at once.
    """
    room = await open_room(app, token)
    last = await code_outcome(app, room.position.ref)
    if last is not None and last.accepted:
        await app.ledger.rooms.forget_tries(room.row.number_id)
    is_guess = len(codes_in(text.get_secret_value())) == 1
    again_at = await app.ledger.rooms.try_code(room.row.number_id) if is_guess else None
    if again_at is not None:
        message = f"too many codes were typed; the next one is taken from {again_at:%H:%M:%S} UTC on"
        return CodeAnswer(CodeVerdict.TOO_SOON, room.position.ref, message, again_at)
    # To a customer nothing is said about other numbers, so the same digits are not compared with theirs.
    return await take_code(app, room.position.ref, text, door="room", by=IN_ITS_ROOM, anyway=True)


async def two_step_off_in_room(app: App, token: str) -> Position:
    """The customer states that it has turned two-step verification off. Only where the number waits for its PIN."""
    room = await _with_consent(app, token)
    if room.position.runbook not in ("runbooks/pin-unknown.md", "runbooks/wrong-pin.md"):
        raise OperationRefused(f"{room.position.ref} does not wait for its PIN; nothing was changed")
    because = "its customer has turned two-step verification off"
    return await numbers.record_two_step_off(app, room.position.ref, because, IN_ITS_ROOM)


async def revoke_room(app: App, number: str, because: str, by: str) -> Position:
    """End every link to the number's room. Raises NotFound where it has none."""
    position = await app.queries.positions.find(number)
    await app.ledger.rooms.revoke(position.number_id, because, by)
    return position


async def _with_consent(app: App, token: str) -> Room:
    room = await open_room(app, token)
    if not room.consented:
        raise OperationRefused("the customer has to agree to the move first; nothing was changed")
    return room


def _key(app: App) -> RecordKey:
    """The home's own key, sealed under the master key: who has it signs links."""
    key = record_key_of(app.database)
    if key is None:
        raise OperationRefused("the home has no key yet; `cutover sweep` makes it")
    return key

"""The customers' rooms on the public port: one page a number, opened by its link alone.

No full number, name of somebody else or word of ours about commands stands in it. What a customer may not do now is
answered with one sentence in its language, and nothing was changed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.errors import OperationRefused
from migration.operations import customer_rooms
from migration.operations.at_the_phone import NextCode, free_slots
from migration.operations.customer_rooms import Room, RoomClosed
from migration.operations.proof_wording import word_to_send
from migration.operations.received_codes import CodeAnswer, CodeVerdict
from migration.scrubbing.masking import masked
from migration.web.answers import Refused
from migration.web.bodies import Form, read_form
from migration.web.pages import page
from migration.web.room_state import FORMS, room_state, test_message
from migration.web.room_texts import asked_language, languages
from migration.web.site import Site, check_origin
from state.enums import Status
from state.errors import StateError

MAX_BODY = 8 * 1024
SAID = {
    CodeVerdict.ACCEPTED: "said_code",
    CodeVerdict.WRONG: "said_wrong",
    CodeVerdict.EXPIRED: "said_expired",
    CodeVerdict.TWICE: "said_twice",
    CodeVerdict.NOT_ASKED: "said_not_asked",
    CodeVerdict.NOT_NEEDED: "said_not_needed",
    CodeVerdict.NO_CODE: "said_no_code",
    CodeVerdict.SEVERAL: "said_no_code",
    CodeVerdict.TOO_SOON: "said_too_soon",
}
Act = Callable[[str, Form], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class RoomPages:
    site: Site

    def routes(self) -> list[Route]:
        path = f"{customer_rooms.PATH}{{token}}"
        return [Route(path, self.show, methods=["GET"]), Route(path, self.act, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        token = request.path_params["token"]
        enter = customer_rooms.open_room if request.headers.get("x-again") else customer_rooms.enter_room
        room = await self._opened(request, token, enter)
        if room is None:
            return self._closed(request)
        return await self._page(request, room)

    async def _opened(self, request: Request, token: str, how: Callable[..., Awaitable[Room]]) -> Room | None:
        try:
            room = await how(self.site.app, token)
        except RoomClosed:
            self.site.check_rate("bad room", self.site.sender_of(request))
            return None
        self.site.check_rate("room", str(room.row.number_id))
        return room

    def _closed(self, request: Request) -> Response:
        language = asked_language(request)
        text = languages()[language]
        values = {"language": language, "direction": text["direction"], "text": text}
        return page("room_closed.html", status=404, title=text["closed_title"], reason=text["closed"], **values)

    async def _page(self, request: Request, room: Room) -> Response:
        position, queries = room.position, self.site.app.queries
        language = asked_language(request, room.customer.language if room.customer else None, position.language)
        text, now = languages()[language], await queries.now()
        code = await queries.records.latest_code(position.migration_id)
        state = room_state(room, code.state if code is not None else None, now)
        zone = (room.customer.time_zone if room.customer else None) or "UTC"
        forms = FORMS.get(state, ()) if room.consented else ()
        test_at, arrived = test_message(position, await queries.records.findings(position.migration_id))
        said = request.query_params.get("said", "")
        return page(
            "room.html",
            language=language,
            direction=text["direction"],
            languages=[(code, known["name"]) for code, known in languages().items()],
            text=text,
            number=masked(position.e164),
            until=local(room.expires_at, zone),
            start=local(position.window_start, zone),
            end=local(position.window_end, zone),
            zone=zone,
            consented=room.consented,
            state=state,
            forms=forms,
            slots=await self._slots(position, zone) if "slot" in forms else [],
            slot=_booked(position, zone, now),
            done_at=local(position.ended_at, zone) if position.status is Status.DONE else None,
            test_at=local(test_at, zone),
            arrived=arrived,
            word=word_to_send(position),
            said=text[said] if said in text and said.startswith("said_") else "",
            is_problem=said in PROBLEMS,
        )

    async def _slots(self, position: Any, zone: str) -> list[tuple[str, str]]:
        found = await free_slots(self.site.app, position)
        return [(start.isoformat(), local(start, zone) or "") for start, _ in found]

    # -- what a customer may do

    async def act(self, request: Request) -> Response:
        token = request.path_params["token"]
        check_origin(request, self.site.public_url)
        room = await self._opened(request, token, customer_rooms.open_room)
        if room is None:
            return self._closed(request)
        form = await read_form(request, MAX_BODY)
        acts: dict[str, Act] = {
            "agree": self._agree,
            "call": self._call,
            "book": self._book,
            "cancel": self._cancel,
            "code": self._code,
            "pin": self._pin,
        }
        act = acts.get(form.get("do"))
        if act is None:
            raise Refused(400, "the form cannot be read")
        try:
            said = await act(token, form)
        except (OperationRefused, StateError):
            said = "said_not_possible"
        language = asked_language(request)
        kept = f"&language={language}" if request.query_params.get("language") == language else ""
        return RedirectResponse(f"{customer_rooms.PATH}{token}?said={said}{kept}", 303)

    async def _agree(self, token: str, _form: Form) -> str:
        await customer_rooms.give_consent(self.site.app, token)
        return "said_agreed"

    async def _call(self, token: str, form: Form) -> str:
        method = form.get("method")
        chosen = NextCode(
            method if method in ("SMS", "VOICE") else None,
            lost=form.get("lost") == "yes",
            answering_machine=form.get("machine") == "yes",
        )
        await customer_rooms.send_code_now(self.site.app, token, chosen)
        return "said_called"

    async def _book(self, token: str, form: Form) -> str:
        """Only a time that the room offers."""
        room = await customer_rooms.open_room(self.site.app, token)
        for start, end in await free_slots(self.site.app, room.position):
            if start.isoformat() == form.get("slot"):
                await customer_rooms.book_in_room(self.site.app, token, start, end)
                return "said_booked"
        return "said_not_possible"

    async def _cancel(self, token: str, _form: Form) -> str:
        await customer_rooms.cancel_in_room(self.site.app, token)
        return "said_cancelled"

    async def _code(self, token: str, form: Form) -> str:
        room = await customer_rooms.open_room(self.site.app, token)
        self.site.check_rate("room code", str(room.row.number_id))
        answer: CodeAnswer = await customer_rooms.code_in_room(self.site.app, token, SecretStr(form.get("code")))
        return SAID.get(answer.verdict, "said_not_possible")

    async def _pin(self, token: str, _form: Form) -> str:
        await customer_rooms.two_step_off_in_room(self.site.app, token)
        return "said_pin"


PROBLEMS = {*SAID.values(), "said_not_possible"} - {"said_code", "said_twice"}


def local(moment: datetime | None, zone: str) -> str | None:
    """A moment in the customer's time zone."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})" if moment is not None else None


def _booked(position: Any, zone: str, now: datetime) -> tuple[str | None, str | None] | None:
    if position.slot_until is None or position.slot_until < now:
        return None
    return local(position.slot_from, zone), local(position.slot_until, zone)

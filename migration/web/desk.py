"""The code desk: whose code somebody has to type, who can be called, one code or many, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.operations.at_the_phone import NextCode, ask_code, leave_phone, local
from migration.operations.codes_needed import needs_code
from migration.operations.duty import assigned
from migration.operations.many_codes import LineAnswer, read_lines, take_codes
from migration.operations.received_codes import CodeAnswer, CodeVerdict, take_code
from migration.operations.wording import number_label, reason_text
from migration.web.answers import Refused
from migration.web.bodies import Form
from migration.web.sessions import Session
from migration.web.site import Site
from state.code_steps import VERIFY_STEPS
from state.enums import Status
from state.ledger.people import Shift
from state.queries.desk import DeskRow

SHOWN = 200
MOST_LINES, MOST_PASTED = 1000, 256 * 1024
FORMS = ("code", "ready", "leave", "many", "contact")
METHODS = ("", "SMS", "VOICE")


@dataclass(frozen=True, slots=True)
class Desk:
    site: Site

    def routes(self) -> list[Route]:
        return [
            Route("/desk", self.show, methods=["GET"]),
            Route("/desk/code", self.code, methods=["POST"]),
            Route("/desk/ready", self.ready, methods=["POST"]),
            Route("/desk/leave", self.leave, methods=["POST"]),
            Route("/desk/many", self.many, methods=["POST"]),
            Route("/desk/contact", self.contact, methods=["POST"]),
            *(
                Route(f"/desk/{name}", self.back, methods=["GET"])
                for name in ("code", "ready", "leave", "many", "contact")
            ),
        ]

    async def show(self, request: Request) -> Response:
        return await self._page(request, self.site.operator(request))

    async def back(self, request: Request) -> Response:
        """Where a page that answered a form is loaded again."""
        self.site.operator(request)
        return RedirectResponse("/desk", 303)

    async def code(self, request: Request) -> Response:
        """One code, or the message that it came in."""
        session, form = await self.site.change(request)
        text, anyway = SecretStr(form.get("code")), form.get("anyway") == "yes"
        answer = await take_code(self.site.app, _number(form), text, door="desk", by=session.name, anyway=anyway)
        if answer.accepted:
            return RedirectResponse("/desk?done=code", 303)
        return await self._page(request, session, answer=answer)

    async def ready(self, request: Request) -> Response:
        """Somebody is at the phone now."""
        session, form = await self.site.change(request)
        method = form.get("method")
        if method not in METHODS:
            raise Refused(422, "a code comes by SMS or VOICE; nothing was changed")
        lost, machine = form.get("lost") == "yes", form.get("machine") == "yes"
        chosen = NextCode(method or None, None, lost=lost, answering_machine=machine)
        asked = await ask_code(self.site.app, _number(form), how="desk", by=session.name, next_code=chosen)
        return await self._page(request, session, said=asked.message)

    async def leave(self, request: Request) -> Response:
        session, form = await self.site.change(request)
        position = await leave_phone(self.site.app, _number(form), "said at the desk", session.name)
        return await self._page(request, session, said=f"nobody is at the phone of {position.ref} any more")

    async def many(self, request: Request) -> Response:
        """Lines of a number and a code, pasted or from a file; each is answered for itself."""
        session, form = await self.site.change(request, most=MOST_PASTED)
        typed = read_lines(form.get("lines"))
        if not typed:
            raise Refused(422, "paste lines of a number and a code, as in `N-0001, 123-456`; nothing was stored")
        if len(typed) > MOST_LINES:
            raise Refused(413, f"{MOST_LINES} lines at a time; nothing was stored")
        answers = await take_codes(self.site.app, typed, door="paste", by=session.name)
        return await self._page(request, session, lines=answers)

    async def contact(self, request: Request) -> Response:
        """Whom to call, in full, to a named person; that it was shown is in the record before it is."""
        session, form = await self.site.change(request, rate="reveal")
        position = await self.site.app.queries.positions.find(_number(form))
        customer = await self.site.app.queries.people.customer(position.customer)
        if customer is None or customer.contact is None:
            raise Refused(409, f"no contact of {position.customer} is known; docs/inventory.md says how to give one")
        because = "to call for its code, at the desk"
        ledger = self.site.app.ledger.revelations
        await ledger.record("contact", position.ref, session.name, because, position.migration_id)
        return await self._page(request, session, contact_of=position.ref)

    async def _page(
        self,
        request: Request,
        session: Session,
        *,
        answer: CodeAnswer | None = None,
        said: str = "",
        contact_of: str = "",
        lines: Sequence[LineAnswer] = (),
    ) -> Response:
        queries, now = self.site.app.queries, await self.site.app.queries.now()
        rows = await queries.desk.rows(limit=SHOWN + 1)
        duty, only_mine = await queries.people.on_duty(), request.query_params.get("for") == "me"
        cards = [desk_card(row, now, duty) for row in rows[:SHOWN]]
        cards = [card for card in cards if not only_mine or card["assigned"] == session.name]
        cards.sort(
            key=lambda card: card["assigned"] != session.name
        )  # one's own first, else in the order of their time
        return self.site.page(
            request,
            "desk.html",
            session,
            here="/desk",
            status=422 if answer is not None else 200,
            refusal=answer.message if answer is not None else "",
            notice=said or self.site.notice(request),
            again=answer.ref if answer is not None and answer.verdict is CodeVerdict.ANOTHER else "",
            lines=lines,
            contact_of=contact_of,
            taken=sum(line.accepted for line in lines),
            codes=[card for card in cards if card["waits_for_code"]],
            others=[card for card in cards if not card["waits_for_code"]],
            more=len(rows) > SHOWN,
            duty=duty,
            only_mine=only_mine,
            now=now,
        )


def desk_card(row: DeskRow, now: datetime, duty: Sequence[Shift] = ()) -> dict[str, Any]:
    """What somebody at the desk has to know to call, and to type."""
    position = row.position
    until = position.waiting_until
    is_ready = position.ready_until is not None and position.ready_until >= now
    return {
        "ref": position.ref,
        "assigned": assigned(
            position.ref, row.language or position.language, duty, position.ready_by if is_ready else None
        ),
        "label": number_label(position),
        "customer": position.customer,
        "contact": row.contact,
        "language": row.language or position.language,
        "local": local(now, row.time_zone) if row.time_zone else None,
        "hours": row.hours,
        "waits_for_code": position.status is Status.WAITING and position.next_step in VERIFY_STEPS,
        "good_until": until if until is not None and until > now else None,
        "last_code": row.last_code,
        "ready_until": position.ready_until if is_ready else None,
        "ready_by": position.ready_by if is_ready else None,
        "slot_from": position.slot_from if position.slot_until is not None and position.slot_until >= now else None,
        "slot_until": position.slot_until,
        "dark": position.dark_by_us,
        "reason": reason_text(position, now),
        "needs_code": needs_code(position),
    }


def _number(form: Form) -> str:
    return form.get("number").strip()[:60]

"""One number: where it is, its history in sentences, its way back, what comes next, and what may safely be pressed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.operations import numbers
from migration.operations.approval import recorded_rollback_option
from migration.operations.event_wording import event_evidence, event_text
from migration.operations.evidence_wording import message_text, webhook_text
from migration.operations.gap_wording import gap_lines
from migration.operations.parity_wording import Comparison, kept_parity, shown_text
from migration.operations.proof_wording import proof_text, reported_texts, why_not_proved, word_to_send
from migration.operations.proving import ask_for_proof
from migration.operations.service_wording import dark_since_text, finding_text, outage_text, side_text
from migration.operations.wave_wording import gate_text, wave_event_text
from migration.operations.wording import next_command_after_show, number_label, reason_text
from migration.waves.next_command import current_status
from migration.web.answers import Refused
from migration.web.bodies import Form
from migration.web.overview import move_of
from migration.web.sessions import Session
from migration.web.site import Site
from state.enums import SmokeMode, Status
from state.ledger.counted_calls import BUDGET_CALLS
from state.proof import is_moved, mode_of
from state.rows import FindingRow, Position

EVENTS_SHOWN = 200
LONGEST_ID = 19  # digits of a row's id


@dataclass(frozen=True, slots=True)
class NumberPage:
    site: Site

    def routes(self) -> list[Route]:
        return [
            Route("/numbers/{ref}", self.show, methods=["GET"]),
            Route("/numbers/{ref}/hold", self.hold, methods=["POST"]),
            Route("/numbers/{ref}/release", self.release, methods=["POST"]),
            Route("/numbers/{ref}/retry", self.retry, methods=["POST"]),
            Route("/numbers/{ref}/abort", self.abort, methods=["POST"]),
            Route("/numbers/{ref}/prove", self.prove, methods=["POST"]),
            Route("/numbers/{ref}/reveal", self.reveal, methods=["POST"]),
            Route("/numbers/{ref}/reveal", self.hide, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        session = self.site.operator(request)
        return await self._page(request, session, await self._number(request))

    async def _number(self, request: Request) -> Position:
        """By its reference alone: a phone number in an address would stand in a browser's history and in logs."""
        ref = request.path_params["ref"]
        if not ref.upper().startswith("N-"):
            raise Refused(404, "numbers are named by their reference here, such as N-0001")
        return await self.site.app.queries.positions.find(ref)

    async def _page(
        self, request: Request, session: Session, position: Position, *, shown: str = "", **more: Any
    ) -> Response:
        queries, now = self.site.app.queries, await self.site.app.queries.now()
        events = await queries.records.events(position.migration_id, EVENTS_SHOWN)
        spent, _ = await queries.gate.budget_spent(position.phone_number_id, "register")
        wave_events = await queries.waves.events(position.wave) if position.wave else ()
        results = await queries.records.findings(position.migration_id)
        waves = {row.name: row.id for row in await queries.waves.all()}
        messages = await queries.proofs.messages(position.migration_id)
        page = {
            "position": position,
            "wave_id": waves.get(position.wave or ""),
            "now": now,
            "label": number_label(position),
            "shown": shown,
            "state": current_status(position, now),
            "facts": _facts(position, now, spent),
            "outage": outage_text(position, now),
            "details": finding_text(position) or dark_since_text(position, now),
            "way_back": await recorded_rollback_option(queries, position),
            "next": next_command_after_show(position, now),
            "history": [(event, event_text(event), event_evidence(event)) for event in events],
            "older": events[0].seq - 1 if events else 0,
            "messages": [message_text(row) for row in messages],
            "newest_message": messages[-1]["id"] if messages else 0,
            "smoke_modes": tuple(SmokeMode),
            "smoke_mode": mode_of(position).value,
            "webhooks": [
                (row["received_at"], webhook_text(row))
                for row in reversed(await queries.proofs.webhooks(position.number_id))
            ],
            "wave_history": [(event, wave_event_text(event)) for event in wave_events],
            "broken": await queries.records.broken_link(position.migration_id, EVENTS_SHOWN),
            "may": may_press(position, now),
            "parity": _parity(results),
            "gap": gap_lines(position, results),
        }
        return self.site.page(request, "number.html", session, **page | move_of(position, now) | more)

    # -- what may be pressed

    async def hold(self, request: Request) -> Response:
        session, form = await self.site.change(request)
        position = await self._number(request)
        await numbers.hold_number(self.site.app, position.ref, session.name, _reason(form, needed=False))
        return _back(position, "held")

    async def release(self, request: Request) -> Response:
        session, _ = await self.site.change(request)
        position = await self._number(request)
        await numbers.release_number(self.site.app, position.ref, session.name)
        return _back(position, "released")

    async def retry(self, request: Request) -> Response:
        """Look again. Only where nothing of a far side has to be asked for that decision."""
        session, form = await self.site.change(request)
        position = await self._number(request)
        if not may_press(position, await self.site.app.queries.now())["retry"]:
            raise Refused(409, f"{position.ref} needs more than another look; `{_next(position)}`; nothing was changed")
        await numbers.retry_number(self.site.app, position.ref, _reason(form), session.name)
        return _back(position, "due")

    async def abort(self, request: Request) -> Response:
        """Back to where it was; the child tells its senders. The reference has to be typed again."""
        session, form = await self.site.change(request)
        position = await self._number(request)
        _check_typed(form, position)
        await numbers.switch_to_abort(self.site.app, position.ref, _reason(form), session.name)
        return _back(position, "aborted")

    async def prove(self, request: Request) -> Response:
        """Another message, or another mode. The child sends it; a form that is sent again sends none."""
        session, form = await self.site.change(request)
        position = await self._number(request)
        chosen, after = form.get("smoke"), form.get("after")
        if chosen and chosen not in list(SmokeMode):
            raise Refused(422, f"choose one of {', '.join(SmokeMode)}; nothing was changed")
        if not (after.isascii() and after.isdigit() and len(after) < LONGEST_ID):
            raise Refused(422, "load the page again, and send the form that it shows; nothing was changed")
        mode = SmokeMode(chosen) if chosen else None
        because = _reason(form, needed=False)
        await ask_for_proof(self.site.app, position.ref, mode, because, session.name, after=int(after))
        return _back(position, "asked")

    async def reveal(self, request: Request) -> Response:
        """Show the full number to a named person; that it was shown is in the record before it is."""
        session, form = await self.site.change(request, rate="reveal")
        position = await self._number(request)
        reason = _reason(form)
        ledger = self.site.app.ledger.revelations
        await ledger.record("number", position.ref, session.name, reason, position.migration_id)
        return await self._page(request, session, position, shown=position.e164)

    async def hide(self, request: Request) -> Response:
        """Where the page that shows it is loaded again."""
        self.site.operator(request)
        return RedirectResponse(f"/numbers/{(await self._number(request)).ref}", 303)


def may_press(position: Position, now: datetime) -> Mapping[str, bool]:
    """What a person may decide here. Pages for people have the rest: those decisions need more than one press."""
    live, crossed = position.ended_at is None, position.crossed_at is not None
    stands = current_status(position, now) in (Status.WAITING, Status.HELD)
    return {
        "hold": live and not crossed and not position.hold,
        "release": live and position.hold,
        "retry": live and stands and position.sides_read,
        "abort": live and not crossed and position.itinerary != "ABORT",
        "prove": is_moved(position),
    }


def _facts(position: Position, now: datetime, spent: int) -> Mapping[str, object]:
    return {
        "Side": side_text(position, now),
        "Service": proof_text(position),
        "Not proved": why_not_proved(position),
        "Meta reports": "; ".join(reported_texts(position)),
        "Word to send to it": word_to_send(position),
        "Step": position.next_step or "at its end",
        "Why": reason_text(position, now),
        "May cross": gate_text(position, now),
        "Way": f"{position.itinerary}: {position.because}",
        "Customer": position.customer,
        "WABA": position.waba_id,
        "Phone number id": position.phone_number_id,
        "Client": position.instance.name if position.instance else "none",
        "PIN": position.pin_provenance or "of unknown provenance",
        "Calls of register": f"{spent} of {BUDGET_CALLS} in 72 h",
        "Gap of its senders": f"{position.sender_gap_seconds:.1f} s" if position.sender_gap_seconds else None,
    }


def _parity(results: Mapping[str, FindingRow]) -> Mapping[str, Any] | None:
    """The lines of the last comparison, those that need a person first."""
    kept = kept_parity(results)
    if kept is None:
        return None
    ordered = sorted(kept["lines"], key=lambda line: line["verdict"] != Comparison.PERSON)
    rows = [(line["what"], line["verdict"], shown_text(line)) for line in ordered]
    return {"read_at": kept["read_at"], "rows": rows}


def _reason(form: Form, *, needed: bool = True) -> str:
    reason = " ".join(form.get("because").split())[:300]
    if needed and not reason:
        raise Refused(422, "give a reason: whoever comes next reads it. Nothing was changed")
    return reason


def _check_typed(form: Form, position: Position) -> None:
    if form.get("confirm").strip().upper() != position.ref:
        raise Refused(422, f"type {position.ref} to confirm; nothing was changed")


def _next(position: Position) -> str:
    return f"cutover show {position.ref}"


def _back(position: Position, done: str) -> Response:
    return RedirectResponse(f"/numbers/{position.ref}?done={done}", 303)

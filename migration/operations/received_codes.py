"""Verification codes that a person read from a phone, and what becomes of one, whichever door it came through."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import SecretStr

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.code_text import codes_in
from migration.operations.codes_needed import needs_code
from migration.steps.code_requests import CODE_LIVES
from state.code_steps import CODE_STEPS, REQUEST_STEPS, REQUESTED_BY, VERIFY_STEPS
from state.enums import Status
from state.record_key import hash_under, record_key_of
from state.rows import Position

CODE_PATTERN = re.compile(r"[0-9]{6}")
NO_CODE = "there is no code of six digits in it; nothing was stored"

# In these states of the same digits, typed for another number, they are taken for that number's.
ANY_STATE = ("entered", "verified", "refused", "replaced")
# A gateway says which number has received the message, cannot be asked whether it is sure, and sends it once: what
# somebody has typed for a wrong number may not cost this number its code.
PROVED_ELSEWHERE = ("verified",)


class CodeVerdict(StrEnum):
    """What became of a code that was typed in or delivered."""

    ACCEPTED = "accepted"  # stored, sealed; Meta is asked next
    WRONG = "wrong"  # refused already, for this request
    EXPIRED = "expired"
    ANOTHER = "another number's"
    TWICE = "twice"
    NOT_ASKED = "before it was asked for"
    NOT_NEEDED = "not needed"
    NO_CODE = "no code in it"
    SEVERAL = "several codes in it"
    TOO_SOON = "too many tries"


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """`message`: what happened and what to do, without the code. `again_at`: no other one is taken before."""

    verdict: CodeVerdict
    ref: str
    message: str
    again_at: datetime | None = None

    @property
    def accepted(self) -> bool:
        return self.verdict is CodeVerdict.ACCEPTED


def holds_code(typed: object) -> bool:
    """Whether there are as many digits in a text as in a code, whatever stands between them."""
    return sum(map(str.isdecimal, str(typed))) >= 6


async def enter_code(app: App, number: str, code: SecretStr, by: str) -> Position:
    """As `take_code`, where nothing else is expected. Raises NotFound, or OperationRefused: it is not accepted."""
    answer = await take_code(app, number, code, door="command", by=by)
    if not answer.accepted:
        raise OperationRefused(answer.message)
    return await app.queries.positions.find(number)


async def take_code(app: App, number: str, text: SecretStr, *, door: str, by: str, anyway: bool = False) -> CodeAnswer:
    """Seal and store the code in a text, and make the number due. The same for every door.

    `number`: as a person types it, or as a gateway names it. `text`: a code, or the message that it came in, in any
    language. `door`: command, paste, desk, prefect, room or gateway. `anyway`: these digits were typed for another
    number too, and are right all the same. Raises NotFound for an unknown number.
    """
    position = await app.queries.positions.find(number)
    found = codes_in(text.get_secret_value())
    if len(found) != 1:
        several = "there are several codes in the text; give only the newest one; nothing was stored"
        verdict = CodeVerdict.SEVERAL if found else CodeVerdict.NO_CODE
        return CodeAnswer(verdict, position.ref, several if found else NO_CODE)
    tag = hash_under(record_key_of(app.database), "code", found[0])
    elsewhere = PROVED_ELSEWHERE if door == "gateway" else ANY_STATE
    refusal = await _refusal(app, position, tag, () if anyway else elsewhere)
    if refusal is not None:
        return refusal
    owner = f"number:{position.number_id}"
    sealed = app.secret_store.seal(owner, "code", SecretStr(found[0]))
    await app.ledger.operator_inputs.enter_code(position.migration_id, sealed, owner, by, door=door, tag=tag)
    message = f"the code of {position.ref} is stored, sealed; the next worker gives it to Meta"
    return CodeAnswer(CodeVerdict.ACCEPTED, position.ref, message)


async def _refusal(app: App, position: Position, tag: str, elsewhere: Collection[str]) -> CodeAnswer | None:
    """Why this code is not stored, or None. `elsewhere`: states in which the same digits are another number's."""
    ref, ask = position.ref, f"`cutover ask-code {position.ref}`"
    if position.ended_at is not None:
        return CodeAnswer(CodeVerdict.NOT_NEEDED, ref, f"{ref} is {position.status}; it needs no code")
    asked_at = await asked_last(app, position)
    if position.next_step not in CODE_STEPS and (asked_at is None or not needs_code(position)):
        message = f"{ref} is at {position.next_step} and needs no code now; `cutover show {ref}`"
        return CodeAnswer(CodeVerdict.NOT_NEEDED, ref, message)
    since = asked_at or position.created_at
    if position.next_step in REQUEST_STEPS and asked_at is None:
        if await app.queries.records.open_attempt(position.migration_id) is None:
            requests = await app.queries.people.code_requests(position.number_id)
            if requests and requests[0].at >= position.created_at:
                message = f"the last code of {ref} has expired; {ask} asks for another"
                return CodeAnswer(CodeVerdict.EXPIRED, ref, message)
            message = f"no code has been asked for {ref} yet, so none can be right; {ask} asks for one"
            return CodeAnswer(CodeVerdict.NOT_ASKED, ref, message)
    elif asked_at is not None and await app.queries.now() >= asked_at + CODE_LIVES:
        message = f"the code of {ref} was asked for at {asked_at:%H:%M} UTC and has expired; {ask} asks for another"
        return CodeAnswer(CodeVerdict.EXPIRED, ref, message)
    match await app.queries.people.typed_here(tag, position.migration_id, since):
        case "refused":
            other = f"`cutover ask-code {ref} --lost` asks for another"
            message = f"this code of {ref} was refused a moment ago; read it again, or {other}"
            return CodeAnswer(CodeVerdict.WRONG, ref, message)
        case "entered" | "verified":
            return CodeAnswer(CodeVerdict.TWICE, ref, f"this code of {ref} is stored already; there is nothing to do")
    # Two numbers get the same digits now and then: only those that may still be in somebody's hand are a mistake.
    recently = await app.queries.now() - 2 * CODE_LIVES
    if elsewhere and await app.queries.people.typed_elsewhere(tag, position.number_id, recently, elsewhere):
        message = f"the same digits were typed for another number; are they those of {ref}? Nothing was stored"
        return CodeAnswer(CodeVerdict.ANOTHER, ref, message)
    return None


async def asked_last(app: App, position: Position) -> datetime | None:
    """When the code that the number waits for was asked for; None before that."""
    request = REQUESTED_BY.get(position.next_step or "", "request_code")
    result = (await app.queries.records.findings(position.migration_id)).get(request)
    known = result is not None and "asked_at" in result.facts
    return datetime.fromisoformat(result.facts["asked_at"]) if known and result is not None else None


async def code_outcome(app: App, number: str) -> CodeAnswer | None:
    """What became of the code that was typed in last; None where none was, or Meta has not answered yet."""
    position = await app.queries.positions.find(number)
    code = await app.queries.records.latest_code(position.migration_id)
    match code.state if code is not None else None:
        case "verified":
            return CodeAnswer(CodeVerdict.ACCEPTED, position.ref, f"the code of {position.ref} was right")
        case "refused":
            waits = position.status is Status.WAITING and position.next_step in VERIFY_STEPS
            todo = "type the right one" if waits else f"`cutover ask-code {position.ref}` asks for another"
            return CodeAnswer(CodeVerdict.WRONG, position.ref, f"the code of {position.ref} was refused; {todo}")
    return None

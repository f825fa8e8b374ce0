"""Verification codes that a person read from a phone."""

import re

from pydantic import SecretStr

from migration.app import App
from migration.errors import OperationRefused
from state.phone_spelling import plain_digits
from state.rows import Position

CODE_PATTERN = re.compile(r"[0-9]{6}")
# What stands between the halves of a code where it was copied from a message: WhatsApp writes 123-456.
SEPARATORS = re.compile(r"[\s\u2010-\u2015\u2212._-]")
CODE_STEPS = ("request_code", "verify_code", "request_code_onprem", "verify_code_onprem")


def holds_code(typed: object) -> bool:
    """Whether there are as many digits in a text as in a code, whatever stands between them."""
    return sum(map(str.isdecimal, str(typed))) >= 6


async def enter_code(app: App, number: str, code: SecretStr, by: str) -> Position:
    """Seal and store a verification code for the number, and make the number due.

    Raises NotFound, or OperationRefused for text that is no code and for a number that needs none.
    """
    digits = SEPARATORS.sub("", plain_digits(code.get_secret_value()))
    if CODE_PATTERN.fullmatch(digits) is None:
        raise OperationRefused("a code is six digits, as in 123-456; nothing was stored")
    position = await app.queries.positions.find(number)
    if position.ended_at is not None:
        raise OperationRefused(f"{position.ref} is {position.status}; it needs no code")
    if position.next_step not in CODE_STEPS:
        step = position.next_step
        raise OperationRefused(f"{position.ref} is at {step} and needs no code now; `cutover show {position.ref}`")
    owner = f"number:{position.number_id}"
    sealed = app.secret_store.seal(owner, "code", SecretStr(digits))
    await app.ledger.operator_inputs.enter_code(position.migration_id, sealed, owner, by)
    return await app.queries.positions.get(position.migration_id)

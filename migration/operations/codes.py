"""A verification code that somebody read off a phone."""

import re

from pydantic import SecretStr

from migration.app import App
from migration.errors import OperationRefused
from state.rows import Position

CODE_PATTERN = re.compile(r"\d{6}")
CODE_STEPS = ("request_code", "verify_code", "request_code_onprem", "verify_code_onprem")


async def enter_code(app: App, named: str, code: SecretStr, by: str) -> Position:
    """Store a verification code for the number, sealed, and wake its migration up.

    Raises NotFound, OperationRefused for what is not a code or for a number that needs none.
    """
    typed = code.get_secret_value().replace("-", "").replace(" ", "")
    if CODE_PATTERN.fullmatch(typed) is None:
        raise OperationRefused("a code is six digits, as in 123-456; nothing was stored")
    at = await app.queries.find(named)
    if at.ended_at is not None:
        raise OperationRefused(f"{at.ref} is {at.status}; it needs no code")
    if at.next_step not in CODE_STEPS:
        raise OperationRefused(f"{at.ref} is at {at.next_step} and needs no code now; `cutover show {at.ref}`")
    owner = f"number:{at.number_id}"
    sealed = app.secret_store.sealed(owner, "code", SecretStr(typed))
    await app.ledger.operator_changes.enter_code(at.migration_id, sealed, owner, by)
    return await app.queries.position(at.migration_id)

"""Takes a code typed into Prefect's form. The flow first overwrites the code in Prefect's record."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field, SecretStr

from flows.common import (
    Reference,
    StartedBy,
    errors_as_failed_state,
    is_reference,
    log_lines,
    open_flow_app,
    overwrite_parameters,
    run_name_for_number,
    who_started,
)
from migration.errors import OperationRefused
from migration.operations import codes
from migration.operations.wording import number_label

# Not a code, so that a retry, or a new run with the same parameters, cannot enter it as one.
OVERWRITTEN = "overwritten"


def _name() -> str:
    return run_name_for_number("enter code")


# Prefect's own validation would end a run before its first line, and show in the log what was typed.
@flow(name="enter-code", flow_run_name=_name, retries=0, persist_result=False, validate_parameters=False)
@errors_as_failed_state
async def enter_code(
    number: Reference,
    code: Annotated[SecretStr, Field(json_schema_extra={"pattern": r"^\d{3}-?\d{3}$"})],
    started_by: StartedBy = "",
) -> None:
    """Store the verification code of a number, sealed, and wake the number up.

    Args:
        number: Short reference of the number, as `cutover status` prints it, for example N-0001.
        code: The six digits from the SMS or the call. Overwritten in Prefect's record when the run begins.
        started_by: Your name, for the record of who typed the code.

    """
    await overwrite_parameters({"code": OVERWRITTEN} | ({} if is_reference(number) else {"number": OVERWRITTEN}))
    secret = _as_secret(code)
    if not is_reference(number):
        raise OperationRefused("a number is named by its reference, as in N-0001; nothing was stored")
    if secret.get_secret_value() == OVERWRITTEN:
        raise OperationRefused("the code of this run was taken when it first ran; start a new run with a new code")
    async with open_flow_app() as app:
        position = await codes.enter_code(app, number, secret, who_started(started_by))
        log_lines([f"the code of {number_label(position)} is stored, sealed; workers take it from here"])


def _as_secret(code: Any) -> SecretStr:
    """Without validation, a parameter has the type in which Prefect stored it: plain text."""
    return code if isinstance(code, SecretStr) else SecretStr(str(code))

"""What nobody expected in the work on one number stays with that number; this says which errors that holds for."""

from migration.errors import MigrationError
from migration.runtime.log import frames_of, get_logger
from migration.vault.sealing import MissingKey
from state.database import is_database_error

INTERNAL_ERROR_PAGE = "runbooks/internal-error.md"

_LOG = get_logger("engine")


def concerns_every_number(exc: Exception) -> bool:
    """A master key that is not given, a database that does not answer: the next number would meet the same."""
    return isinstance(exc, MissingKey) or is_database_error(exc)


def reason_of(exc: Exception, where: str) -> str:
    """One sentence for the record. An error that is not ours may have any text, so its type stands for it."""
    return f"{where}: {exc}" if isinstance(exc, MigrationError) else f"internal error in {where}: {type(exc).__name__}"


def log_unexpected(ref: str, reason: str, exc: Exception) -> None:
    """One line with the error's place in the program, without its text; with `--log-json` the whole way there."""
    frames = frames_of(exc)
    place = frames[-1] if frames else "no place"
    _LOG.error("%s: %s (%s)", ref, reason, place, extra={"number": ref, "frames": frames})


def unexpected(ref: str, where: str, exc: Exception) -> str:
    """The reason for the record of one number, logged; raises the error again where every other one would meet it."""
    if concerns_every_number(exc):
        raise exc
    reason = reason_of(exc, where)
    log_unexpected(ref, reason, exc)
    return reason


def log_unwritten(ref: str, step: str, exc: Exception) -> None:
    """A call was answered, and the database does not take the answer."""
    kind = type(exc).__name__
    _LOG.warning("%s: the database does not take the answer of %s (%s); it is tried again", ref, step, kind)

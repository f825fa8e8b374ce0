"""Errors of clients and operations. A class exists where the caller's next action differs.

* MigrationError
  x Transient           nothing happened, or an answer said to come back; try again with backoff
    - Throttled         try again, but not before `retry_after`
  x OutcomeUnknown      it may have happened; probe before anything else
  x Rejected            refused; repeating cannot help; see what it broke, then the table or a person decides
    - CredentialsRefused  a token or a password is not accepted
  x BackupNotKept       a backup is not in both of its places as it was taken; it does not count as taken
  x WriteRefused        a dry run came to a call that would change the world
  x BadSetting          a setting, a key or an admin file is wrong; says which and what to do
  x OperationRefused    an operator asked for what the present state does not allow; nothing was changed
"""

from datetime import timedelta
from typing import Literal

RefusedBy = Literal["graph", "onprem"]


class MigrationError(Exception):
    """Something about moving a number went wrong."""


class Transient(MigrationError):
    """Nothing happened. `answered`: the call was answered (and counts), the answer said to try later."""

    def __init__(self, message: str, answered: bool = False) -> None:
        super().__init__(message, answered)
        self.answered = answered

    def __str__(self) -> str:
        return str(self.args[0])


class Throttled(Transient):
    """Not before `retry_after` has passed."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message, True)
        self.args = (message, retry_after)
        self.retry_after = retry_after


class OutcomeUnknown(MigrationError):
    """A write got no answer, or one that does not say what became of it."""


class Rejected(MigrationError):
    """The API refused the call. `error_code` and `error_subcode` are the API's; `retry_after` is the wait that its
    details ask for, if any."""

    def __init__(
        self,
        message: str,
        error_code: int | None,
        details: str,
        error_subcode: int | None = None,
        retry_after: timedelta | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, error_code, details, error_subcode, retry_after, trace_id)
        self.error_code = error_code
        self.details = details
        self.error_subcode = error_subcode
        self.retry_after = retry_after
        self.trace_id = trace_id

    def __str__(self) -> str:
        return str(self.args[0])


class CredentialsRefused(Rejected):
    """The token (`refused_by` is "graph") or the instance's login (`refused_by` is "onprem") is not accepted."""

    def __init__(
        self,
        message: str,
        error_code: int | None,
        details: str,
        error_subcode: int | None = None,
        retry_after: timedelta | None = None,
        trace_id: str | None = None,
        refused_by: RefusedBy = "graph",
    ) -> None:
        super().__init__(message, error_code, details, error_subcode, retry_after, trace_id)
        self.args = (message, error_code, details, error_subcode, retry_after, trace_id, refused_by)
        self.refused_by = refused_by


class BackupNotKept(MigrationError):
    """A backup did not come back from one of its two places as it went in, or could not be put there."""


class WriteRefused(MigrationError):
    """A dry run may read and nothing else."""


class BadSetting(MigrationError):
    """A setting, a key or an admin file is wrong."""


class OperationRefused(MigrationError):
    """What an operator asked for is not possible in the present state; nothing was changed."""

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


class MigrationError(Exception):
    """Something about moving a number went wrong."""


class Transient(MigrationError):
    """Nothing happened. `left`: the call was answered (and counts), the answer said to try later."""

    def __init__(self, message: str, left: bool = False) -> None:
        super().__init__(message, left)
        self.left = left

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
    """Refused. `error_code` and `error_subcode` are the far side's; `wait` is what its details ask for, if they do."""

    def __init__(
        self,
        message: str,
        error_code: int | None,
        details: str,
        error_subcode: int | None = None,
        wait: timedelta | None = None,
        trace: str | None = None,
    ) -> None:
        super().__init__(message, error_code, details, error_subcode, wait, trace)
        self.error_code = error_code
        self.details = details
        self.error_subcode = error_subcode
        self.wait = wait
        self.trace = trace

    def __str__(self) -> str:
        return str(self.args[0])


class CredentialsRefused(Rejected):
    """The token (`on` is "graph") or the instance's login (`on` is "onprem") is not accepted."""

    def __init__(
        self,
        message: str,
        error_code: int | None,
        details: str,
        error_subcode: int | None = None,
        wait: timedelta | None = None,
        trace: str | None = None,
        on: str = "graph",
    ) -> None:
        super().__init__(message, error_code, details, error_subcode, wait, trace)
        self.args = (message, error_code, details, error_subcode, wait, trace, on)
        self.on = on


class BackupNotKept(MigrationError):
    """A backup did not come back from one of its two places as it went in, or could not be put there."""


class WriteRefused(MigrationError):
    """A dry run may read and nothing else."""


class BadSetting(MigrationError):
    """A setting, a key or an admin file is wrong."""


class OperationRefused(MigrationError):
    """What an operator asked for is not possible in the present state; nothing was changed."""

"""Errors of clients and operations. A class exists where the caller's next action differs.

* MigrationError
  x Transient           the call can be repeated without harm; wait longer each time
    - Intercepted       something between answered in Graph's place: no number is blocked for it
    - Throttled         repeat it, but not before `retry_after`
      - CallsSpent      the call was not made: none of the calls that Graph allows in an hour is left for it
  x OutcomeUnknown      the call may have had its effect; probe before anything else
  x Rejected            the call was refused and repeating it cannot help; the table of refusals or a person decides
    - CredentialsRefused  a token or a password is not accepted
  x BackupNotKept       a backup is not in both of its places as it was taken; it does not count as taken
  x WriteRefused        a dry run reached a call that would change something
  x BadSetting          a setting, a key or the admin file is wrong; the message says which, and what to do
  x OperationRefused    the present state does not allow what an operator requested; nothing was changed
"""

from datetime import timedelta
from typing import Literal

from migration.scrubbing.texts import SafeText, as_safe, once_more
from state.enums import Party

RefusedBy = Literal["graph", "onprem"]
Limit = Literal["app", "waba"]


class MigrationError(Exception):
    """The root of this tree. Whatever its message quotes, it holds no secret of a call and no full phone number."""

    def __init__(self, message: str) -> None:
        super().__init__(once_more(message))

    def __str__(self) -> str:
        return str(self.args[0])


class Transient(MigrationError):
    """The call had no effect, or is harmless to repeat. `answered`: a response came, so the call counts."""

    whose_move = Party.META  # who can do something about it where it goes on

    def __init__(self, message: str, answered: bool = False) -> None:
        super().__init__(message)
        self.args = (*self.args, answered)
        self.answered = answered


class Intercepted(Transient):
    """A proxy refused the call in Graph's place. The calls of every number meet that, until somebody mends it."""

    whose_move = Party.OPERATOR


class Throttled(Transient):
    """The caller has to wait for `retry_after`. `limit`: whose calls Graph takes no more, where its code says so."""

    def __init__(self, message: str, retry_after: timedelta, limit: Limit | None = None) -> None:
        super().__init__(message, True)
        self.args = (self.args[0], retry_after, limit)
        self.retry_after = retry_after
        self.limit = limit


class CallsSpent(Throttled):
    """We did not make the call: Graph allows no more of them before `retry_after`, or it would take another's."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message, retry_after)
        self.args = (self.args[0], retry_after)
        self.answered = False


class OutcomeUnknown(MigrationError):
    """A write got no response, or one that does not show whether it had its effect. `answered`: a response came."""

    def __init__(self, message: str, answered: bool = False) -> None:
        super().__init__(message)
        self.args = (*self.args, answered)
        self.answered = answered


class Stopped(Exception):
    """The worker was asked to stop, so it begins nothing with this number. No MigrationError: nothing failed."""


class Rejected(MigrationError):
    """The API, a hook or a command refused the call.

    `error_code` and `error_subcode` are the API's; of a hook, `error_code` is the HTTP status. `retry_after` is the
    wait that the details ask for, `trace_id` is Graph's `fbtrace_id`. `details` come from outside, so they are of a
    type that only the scrubber makes.
    """

    def __init__(
        self,
        message: str,
        error_code: int | None,
        details: SafeText,
        error_subcode: int | None = None,
        retry_after: timedelta | None = None,
        trace_id: SafeText | None = None,
    ) -> None:
        super().__init__(message)
        details = as_safe(details)
        self.args = (*self.args, error_code, details, error_subcode, retry_after, trace_id)
        self.error_code = error_code
        self.details = details
        self.error_subcode = error_subcode
        self.retry_after = retry_after
        self.trace_id = trace_id


class CredentialsRefused(Rejected):
    """The token (`refused_by` is "graph") or the instance's login (`refused_by` is "onprem") is not accepted."""

    def __init__(
        self,
        message: str,
        error_code: int | None,
        details: SafeText,
        error_subcode: int | None = None,
        retry_after: timedelta | None = None,
        trace_id: SafeText | None = None,
        refused_by: RefusedBy = "graph",
    ) -> None:
        super().__init__(message, error_code, details, error_subcode, retry_after, trace_id)
        self.args = (*self.args, refused_by)
        self.refused_by = refused_by


class BackupNotKept(MigrationError):
    """A backup could not be written to one of its two places, or was read back with another content."""


class WriteRefused(MigrationError):
    """A dry run only reads."""


class BadSetting(MigrationError):
    """A setting, a key or the admin file is wrong."""


class OperationRefused(MigrationError):
    """The present state does not allow what an operator requested; nothing was changed."""

"""Why the ledger or the schema refused.

* StateError
  x LeaseLost                  another worker holds the number, or took it meanwhile
    x ConcurrencyLimitReached  its wave moves as many numbers as it may
  x Outdated                   something arrived for the number since it was read; read it again
  x NotFound                   no such number, wave, profile or migration
    x NotMigrated              the number is imported, but has no migration
  x Conflict                   the row is in a state that does not allow the change
    x AlreadyThere             another writer has written the same row first
  x DatabaseBusy               the database was locked for too long, or broke a statement off
    x DatabaseAway             the database cannot be reached, or its connection was lost
  x TooEarly                   the number waits, and the end of the wait has not come
  x GateClosed                 the intent was not committed: hold, window, halt, profile or budget
    x BudgetSpent              only the reserve of calls is left
  x NotStored                  the database gave back another row than was written; nothing was changed
  x SchemaTooNew               the database was made by a newer cutover
  x SchemaTooOld               the database needs `cutover init`
"""

from datetime import datetime

from state.enums import Party


class StateError(Exception):
    """The database did not take a change."""


class LeaseLost(StateError):
    """Another worker holds this number."""


class ConcurrencyLimitReached(LeaseLost):
    """The wave moves as many numbers as it may; this one has to wait until one of them stops."""


class Outdated(StateError):
    """A code, a hold, a correction or the like arrived for the number since it was read; it has to be read again."""


class NotFound(StateError):
    """There is no such row."""


class NotMigrated(NotFound):
    """The number is imported, but has no migration: it has a disposition, or no census has run yet."""


class Conflict(StateError):
    """The row is in a state that does not allow the change. The message says which state."""


class AlreadyThere(Conflict):
    """Another writer has written the same row first; the transaction was rolled back."""


class DatabaseBusy(StateError):
    """The database was locked for too long, or broke the statement off; the transaction was rolled back."""


class DatabaseAway(DatabaseBusy):
    """The database cannot be reached. What was being written may have been written or not."""

    def __str__(self) -> str:
        return f"the database does not answer: {self.args[0]}"


class TooEarly(StateError):
    """The number waits until `until`. `now` is the time of the same clock, the database's."""

    def __init__(self, until: datetime, on: Party, reason: str, now: datetime) -> None:
        super().__init__(until, on, reason, now)
        self.until = until
        self.on = on
        self.reason = reason
        self.now = now

    def __str__(self) -> str:
        return f"waits until {self.until:%Y-%m-%d %H:%M:%S} UTC: {self.reason}"


class GateClosed(StateError):
    """A gate condition did not hold when the intent was committed; nothing was sent."""


class TooManyCodes(StateError):
    """As many codes are on their way as those on duty can type; nothing was sent."""


class PinBeingTried(StateError):
    """Another number sends a PIN of which nobody knows whether it is right; nothing was sent."""


class BudgetSpent(GateClosed):
    """Only the reserve of register or deregister calls is left in this moving 72 h."""


class NotStored(StateError):
    """The database gave back another row than was written; the transaction was rolled back."""


class SchemaTooNew(StateError):
    """The database was made by a newer cutover."""


class SchemaTooOld(StateError):
    """The database lacks schema revisions; `cutover init` applies them."""

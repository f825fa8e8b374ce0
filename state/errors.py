"""What the ledger and the schema can refuse.

* StateError
  x LeaseLost      another worker acts on the number, or did since
    x NoTurn       its wave moves as many numbers as it may
  x NotFound       no such number, wave, profile or migration
    x NotMigrated  the number is imported, but has no migration
  x Conflict       the row is not in a state that allows this; says which state it is in
  x TooEarly       it waits for something, and not long enough yet
  x GateClosed     the intent was not committed: hold, window, halt, profile or budget
  x SchemaTooNew   the database was made by a newer cutover
  x SchemaTooOld   the database needs `cutover init`
"""

from datetime import datetime

from state.enums import Party


class StateError(Exception):
    """The database did not take a change."""


class LeaseLost(StateError):
    """Another worker holds this number."""


class NoTurn(LeaseLost):
    """Other numbers of the wave are being moved; this one comes after one of them."""


class NotFound(StateError):
    """There is no such row."""


class NotMigrated(NotFound):
    """The number is imported, but has no migration: it has a disposition, or no census has run yet."""


class Conflict(StateError):
    """The row is not in a state that allows this."""


class TooEarly(StateError):
    """The number waits until then, by the database's clock, which says `now`."""

    def __init__(self, until: datetime, on: Party, reason: str, now: datetime) -> None:
        super().__init__(until, on, reason, now)
        self.until = until
        self.on = on
        self.reason = reason
        self.now = now

    def __str__(self) -> str:
        return f"waits until {self.until:%Y-%m-%d %H:%M:%S} UTC: {self.reason}"


class GateClosed(StateError):
    """The gate conditions did not hold at the instant of the intent; nothing was sent."""


class BudgetSpent(GateClosed):
    """Only the reserve of register or deregister calls is left in this moving 72 h."""


class SchemaTooNew(StateError):
    """The database was made by a newer cutover."""


class SchemaTooOld(StateError):
    """The database lacks schema revisions; `cutover init` applies them."""

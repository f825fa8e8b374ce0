"""All the writers on one database."""

from sqlalchemy.ext.asyncio import AsyncEngine

from state.ledger.attempts import Attempts
from state.ledger.corrections import Corrections
from state.ledger.facts import Facts
from state.ledger.fleet_import import FleetImport
from state.ledger.leases import Leases
from state.ledger.moves import Moves
from state.ledger.operator_changes import OperatorChanges
from state.ledger.waves import Waves
from state.types import SqlClock


class Ledger:
    """All the writers on one database, with the clock that dates what they write."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self.leases = Leases(engine, clock)
        self.attempts = Attempts(engine, clock)
        self.moves = Moves(engine, clock)
        self.operator_changes = OperatorChanges(engine, clock)
        self.fleet_import = FleetImport(engine, clock)
        self.waves = Waves(engine, clock)
        self.corrections = Corrections(engine, clock)
        self.facts = Facts(engine, clock)

"""All the writers on one database."""

from sqlalchemy.ext.asyncio import AsyncEngine

from state.ledger.attempts import Attempts
from state.ledger.call_budgets import CallBudgets
from state.ledger.corrections import Corrections
from state.ledger.field_facts import FieldFacts
from state.ledger.findings import Findings
from state.ledger.fleet_import import FleetImport
from state.ledger.forgetting import Forgetting
from state.ledger.gateway_posts import GatewayPosts
from state.ledger.leases import Leases
from state.ledger.migrations import Migrations
from state.ledger.moves import Moves
from state.ledger.notices import Notices
from state.ledger.operator_changes import OperatorChanges
from state.ledger.operator_inputs import OperatorInputs
from state.ledger.parity_findings import Parity
from state.ledger.people import People
from state.ledger.pins import Pins
from state.ledger.profiles import Profiles
from state.ledger.proof_requests import ProofRequests
from state.ledger.proofs import Proofs
from state.ledger.readiness import Readiness
from state.ledger.revelations import Revelations
from state.ledger.rooms import Rooms
from state.ledger.senders import Senders
from state.ledger.service import ServiceRecord
from state.ledger.shredding import Shredding
from state.ledger.terms import Terms
from state.ledger.wave_moves import WaveMoves
from state.ledger.waves import Waves
from state.ledger.webhooks import Webhooks
from state.types import SqlClock


class Ledger:
    """All the writers on one database, with the clock that dates what they write."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self.leases = Leases(engine, clock)
        self.moves = Moves(engine, clock)
        self.attempts = Attempts(engine, clock, self.moves)
        self.call_budgets = CallBudgets(engine, clock)
        self.operator_changes = OperatorChanges(engine, clock)
        self.fleet_import = FleetImport(engine, clock)
        self.waves = Waves(engine, clock)
        self.wave_moves = WaveMoves(engine, clock)
        self.corrections = Corrections(engine, clock)
        self.field_facts = FieldFacts(engine, clock)
        self.findings = Findings(engine, clock)
        self.profiles = Profiles(engine, clock)
        self.migrations = Migrations(engine, clock)
        self.senders = Senders(engine, clock)
        self.service = ServiceRecord(engine, clock)
        self.revelations = Revelations(engine, clock)
        self.forgetting = Forgetting(engine, clock)
        self.shredding = Shredding(engine, clock)
        self.terms = Terms(engine, clock)
        self.notices = Notices(engine, clock)
        self.pins = Pins(engine, clock)
        self.people = People(engine, clock)
        self.parity = Parity(engine, clock)
        self.readiness = Readiness(engine, clock)
        self.rooms = Rooms(engine, clock)
        self.webhooks = Webhooks(engine, clock)
        self.proofs = Proofs(engine, clock)
        self.proof_requests = ProofRequests(engine, clock)
        self.gateway_posts = GatewayPosts(engine, clock)
        self.operator_inputs = OperatorInputs(engine, clock)

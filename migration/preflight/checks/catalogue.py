"""All checks, in the order in which they are shown."""

from migration.preflight.check import Check
from migration.preflight.checks.backup import TrialBackup
from migration.preflight.checks.graph_number import GraphNumber
from migration.preflight.checks.hook import Hook, Subscription
from migration.preflight.checks.instance import Instance
from migration.preflight.checks.pin import Pin
from migration.preflight.checks.stop_command import StopCommand
from migration.preflight.checks.token import Token
from migration.preflight.checks.way_back import RollbackCheck

CHECKS: tuple[Check, ...] = (
    Token(),
    GraphNumber(),
    Instance(),
    TrialBackup(),
    Pin(),
    StopCommand(),
    Hook(),
    Subscription(),
    RollbackCheck(),
)

"""All checks, in the order in which they are shown."""

from migration.preflight.backup import TrialBackup
from migration.preflight.check import Check
from migration.preflight.graph_number import GraphNumber
from migration.preflight.hook import Hook, Subscription
from migration.preflight.instance import Instance
from migration.preflight.pin import Pin
from migration.preflight.stop_command import StopCommand
from migration.preflight.token import Token
from migration.preflight.way_back import WayBackCheck

CHECKS: tuple[Check, ...] = (
    Token(),
    GraphNumber(),
    Instance(),
    TrialBackup(),
    Pin(),
    StopCommand(),
    Hook(),
    Subscription(),
    WayBackCheck(),
)

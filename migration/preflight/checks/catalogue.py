"""All checks, in the order in which they are shown."""

from migration.preflight.check import Check
from migration.preflight.checks.backup import BackupCheck
from migration.preflight.checks.graph_number import GraphNumberCheck
from migration.preflight.checks.instance import InstanceCheck
from migration.preflight.checks.pin import PinCheck
from migration.preflight.checks.rollback import RollbackCheck
from migration.preflight.checks.stop_command import StopCommandCheck
from migration.preflight.checks.terms import TermsCheck
from migration.preflight.checks.token import TokenCheck
from migration.preflight.checks.traffic_hook import TrafficHookCheck
from migration.preflight.checks.webhook_subscription import WebhookSubscriptionCheck

CHECKS: tuple[Check, ...] = (
    TokenCheck(),
    GraphNumberCheck(),
    InstanceCheck(),
    BackupCheck(),
    PinCheck(),
    TermsCheck(),
    StopCommandCheck(),
    TrafficHookCheck(),
    WebhookSubscriptionCheck(),
    RollbackCheck(),
)

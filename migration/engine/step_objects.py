"""The step objects that the itineraries name."""

from migration.engine.variants import Variant
from migration.steps.back_up import BackUp
from migration.steps.code_onprem import RequestCodeOnPrem, VerifyCodeOnPrem
from migration.steps.confirm import Confirm
from migration.steps.confirm_onprem import ConfirmOnPrem, SmokeOnPrem
from migration.steps.deregister_cloud import DeregisterCloud
from migration.steps.deregister_onprem import DeregisterOnPrem
from migration.steps.drain import Drain
from migration.steps.pause_sends import PauseSends
from migration.steps.protocol import Step
from migration.steps.prove_smoke import ProveSmoke
from migration.steps.read_both_sides import ReadBothSides
from migration.steps.register import Register
from migration.steps.request_code import RequestCode
from migration.steps.restore_onprem import RestoreOnPrem
from migration.steps.restore_profile import RestoreProfile
from migration.steps.resume_sends import ResumeSends
from migration.steps.secure_pin import SecurePin
from migration.steps.send_smoke import SendSmoke
from migration.steps.set_storage import SetStorage
from migration.steps.snapshot import Snapshot
from migration.steps.start_onprem import RestartOnPrem, StartOnPrem
from migration.steps.subscribe import Subscribe
from migration.steps.switch_route import SwitchRoute
from migration.steps.verify_code import VerifyCode
from state.enums import Side

_USUAL: tuple[Step, ...] = (
    Snapshot(),
    SecurePin(),
    BackUp(),
    Subscribe(),
    SetStorage(),
    PauseSends(),
    Drain(),
    Register(with_backup=False),
    Confirm(),
    SwitchRoute(),
    SendSmoke(),
    ProveSmoke(),
    ResumeSends(),
    RestoreProfile(),
    DeregisterOnPrem(),
    RequestCode(),
    VerifyCode(),
    DeregisterCloud(),
    StartOnPrem(),
    RestoreOnPrem(),
    RestartOnPrem(),
    ConfirmOnPrem(),
    RequestCodeOnPrem(),
    VerifyCodeOnPrem(),
    SmokeOnPrem(),
    ReadBothSides(),
)
STEPS: dict[tuple[str, Variant], Step] = {
    **{(step.contract.name, Variant.USUAL): step for step in _USUAL},
    ("register", Variant.WITH_BACKUP): Register(with_backup=True),
    ("pause_sends", Variant.TO_ONPREM): PauseSends(goes_to=Side.ON_PREMISES),
    ("switch_route", Variant.TO_ONPREM): SwitchRoute(goes_to=Side.ON_PREMISES),
    ("resume_sends", Variant.TO_ONPREM): ResumeSends(goes_to=Side.ON_PREMISES),
    ("switch_route", Variant.NOWHERE): SwitchRoute(goes_to=None),
    ("resume_sends", Variant.NOWHERE): ResumeSends(goes_to=None),
}


def step_named(name: str, variant: Variant) -> Step:
    """Raises KeyError for a step that there is not."""
    return STEPS[name, variant]

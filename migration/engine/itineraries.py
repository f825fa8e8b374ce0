"""The itineraries: which steps a number takes, in which order. Order lives here and nowhere else."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

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
from state.enums import Side, Status

# The longest that a cutover takes from the pause on: drain, register with its longest call, confirm, route, smoke.
CUTOVER = timedelta(minutes=3)
# The same from the end of the drain on. Senders wait by then: a window that had room at the pause still has it here.
AFTER_DRAIN = timedelta(minutes=2)
# Where the code can only come while the number is dark: the life of a code for a person to read it off a phone.
FOR_A_CODE = timedelta(minutes=10)
CUTOVER_WITH_CODE = CUTOVER + FOR_A_CODE

AFTER_CROSSING = "confirm"  # the step that shows by reading that a number is in service on Cloud


class ItineraryName(StrEnum):
    """The itineraries by name; README says when each is chosen."""

    WITH_BACKUP = "WITH_BACKUP"
    CODE_FIRST = "CODE_FIRST"
    CODE_AFTER = "CODE_AFTER"
    ONBOARD = "ONBOARD"
    BACK_TO_ONPREM = "BACK_TO_ONPREM"
    FORWARD_RECOVERY = "FORWARD_RECOVERY"
    ABORT = "ABORT"


@dataclass(frozen=True, slots=True)
class ItineraryStep:
    """A step at its place in an itinerary. The same step may be the cutover in one and a mere safeguard in another."""

    step: Step
    optional: bool = False  # passed over where the instance cannot do it
    changes_side: bool = False
    gated: bool = False  # holds, windows and halts act here
    fits_in: timedelta = timedelta()  # what the cutover may take from here; a window needs that much left

    @property
    def name(self) -> str:
        return self.step.contract.name


@dataclass(frozen=True, slots=True)
class Itinerary:
    name: ItineraryName
    steps: tuple[ItineraryStep, ...]
    ends_as: Status = Status.DONE
    goes_to: Side | None = Side.CLOUD  # None: the number stays on the side where it is

    def at(self, step: str) -> ItineraryStep:
        """Raises KeyError for a step that this itinerary does not have."""
        for entry in self.steps:
            if entry.name == step:
                return entry
        raise KeyError(f"{self.name} has no step {step}")

    def has(self, step: str) -> bool:
        return any(entry.name == step for entry in self.steps)

    def before(self, step: str) -> tuple[ItineraryStep, ...]:
        return self.steps[: self._names.index(step)]

    def after(self, step: str) -> str | None:
        """The name of the step that follows, or None at the end."""
        place = self._names.index(step) + 1
        return self._names[place] if place < len(self.steps) else None

    @property
    def first(self) -> str:
        return self.steps[0].name

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.steps)


def _step(step: Step, *, optional: bool = False) -> ItineraryStep:
    return ItineraryStep(step, optional=optional)


def _cutover(step: Step, *, fits_in: timedelta = AFTER_DRAIN) -> ItineraryStep:
    return ItineraryStep(step, changes_side=True, gated=True, fits_in=fits_in)


def _pause(*, fits_in: timedelta = CUTOVER) -> ItineraryStep:
    # The gate stands here too, so that senders are not paused for a number that may not cross.
    return ItineraryStep(PauseSends(), gated=True, fits_in=fits_in)


def _after_register() -> tuple[ItineraryStep, ...]:
    """From the first reading of Cloud to the profile: the same in every itinerary that ends on Cloud."""
    return (
        _step(Confirm()),
        _step(SwitchRoute()),
        _step(SendSmoke()),
        _step(ProveSmoke()),
        _step(ResumeSends()),
        _step(RestoreProfile(), optional=True),
    )


WITH_BACKUP = Itinerary(
    ItineraryName.WITH_BACKUP,
    (
        _step(Snapshot()),
        _step(SecurePin()),
        _step(BackUp()),
        _step(Subscribe()),
        _step(SetStorage()),
        _pause(),
        _step(Drain()),
        _cutover(Register(with_backup=True)),
        *_after_register(),
        _step(DeregisterOnPrem()),
    ),
)

CODE_FIRST = Itinerary(
    ItineraryName.CODE_FIRST,
    (
        _step(Snapshot()),
        _step(SecurePin()),
        _step(BackUp(), optional=True),
        _step(Subscribe()),
        _step(SetStorage()),
        _step(RequestCode()),
        _step(VerifyCode()),
        _pause(),
        _step(Drain()),
        _cutover(DeregisterOnPrem()),
        _cutover(Register(with_backup=False)),
        *_after_register(),
    ),
)

CODE_AFTER = Itinerary(
    ItineraryName.CODE_AFTER,
    (
        _step(Snapshot(), optional=True),
        _step(SecurePin()),
        _step(BackUp(), optional=True),
        _step(Subscribe()),
        _step(SetStorage()),
        _pause(fits_in=CUTOVER_WITH_CODE),
        _step(Drain(), optional=True),
        _cutover(DeregisterOnPrem(), fits_in=AFTER_DRAIN + FOR_A_CODE),
        _step(RequestCode()),
        _step(VerifyCode()),
        _cutover(Register(with_backup=False)),
        *_after_register(),
    ),
)

ONBOARD = Itinerary(
    ItineraryName.ONBOARD,
    (
        _step(Subscribe()),
        _step(SetStorage()),
        _step(SecurePin()),
        _step(RequestCode()),
        _step(VerifyCode()),
        _cutover(Register(with_backup=False), fits_in=CUTOVER),
        _step(Confirm()),
        _step(SendSmoke()),
        _step(ProveSmoke()),
        _step(RestoreProfile(), optional=True),
    ),
)

BACK_TO_ONPREM = Itinerary(
    ItineraryName.BACK_TO_ONPREM,
    (
        _step(PauseSends(goes_to=Side.ON_PREMISES)),
        _cutover(DeregisterCloud()),
        _step(StartOnPrem()),
        ItineraryStep(RestoreOnPrem(), changes_side=True, optional=True),
        _step(RestartOnPrem(), optional=True),
        _step(ConfirmOnPrem(), optional=True),
        _step(RequestCodeOnPrem()),
        ItineraryStep(VerifyCodeOnPrem(), changes_side=True),
        _step(SmokeOnPrem()),
        _step(SwitchRoute(goes_to=Side.ON_PREMISES)),
        _step(ResumeSends(goes_to=Side.ON_PREMISES)),
    ),
    goes_to=Side.ON_PREMISES,
)

FORWARD_RECOVERY = Itinerary(
    ItineraryName.FORWARD_RECOVERY,
    (
        _step(ReadBothSides()),
        _step(SecurePin()),
        _step(RequestCode()),
        _step(VerifyCode()),
        _cutover(Register(with_backup=False)),
        *_after_register(),
    ),
)

# Before the point of no return there is nothing to take back but two announcements to senders: that they should wait,
# and, where an earlier itinerary of the number came to nothing, where to send.
ABORT = Itinerary(
    ItineraryName.ABORT,
    (_step(SwitchRoute(goes_to=None)), _step(ResumeSends(goes_to=None))),
    ends_as=Status.ABORTED,
    goes_to=None,
)

FORWARD = (WITH_BACKUP, CODE_FIRST, CODE_AFTER, ONBOARD)
ITINERARIES = {itinerary.name: itinerary for itinerary in (*FORWARD, BACK_TO_ONPREM, FORWARD_RECOVERY, ABORT)}


def itinerary_named(name: str) -> Itinerary:
    """Raises ValueError for a name that is no itinerary."""
    return ITINERARIES[ItineraryName(name)]

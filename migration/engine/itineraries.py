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

# What a cutover takes at the most from the pause on: drain, register with its longest call, confirm, route, smoke.
CUTOVER = timedelta(minutes=3)
# The same from the end of the drain on. Senders wait by then: a window that had room at the pause still has it here.
AFTER_DRAIN = timedelta(minutes=2)
# Where the code can only come while the number is dark: the life of a code for a person to read it off a phone.
FOR_A_CODE = timedelta(minutes=10)
CUTOVER_WITH_CODE = CUTOVER + FOR_A_CODE


class ItineraryName(StrEnum):
    """The ways a number can take; README says when each is taken."""

    WITH_BACKUP = "WITH_BACKUP"
    CODE_FIRST = "CODE_FIRST"
    CODE_AFTER = "CODE_AFTER"
    ONBOARD = "ONBOARD"
    BACK_TO_ONPREM = "BACK_TO_ONPREM"
    FORWARD_RECOVERY = "FORWARD_RECOVERY"
    ABORT = "ABORT"


@dataclass(frozen=True, slots=True)
class ItineraryStep:
    """A step in its place. The same step may be a cutover in one itinerary and a mere fence in another."""

    step: Step
    optional: bool = False  # as far as the instance answers
    changes_side: bool = False
    gated: bool = False
    fits_in: timedelta = timedelta()  # what the cutover may take from here, for the window


@dataclass(frozen=True, slots=True)
class Itinerary:
    name: ItineraryName
    legs: tuple[ItineraryStep, ...]
    ends_as: Status = Status.DONE
    goes_to: Side | None = Side.CLOUD  # None: nowhere, it stays where it is

    def leg(self, step: str) -> ItineraryStep:
        """Raises KeyError for a step that this itinerary does not have."""
        for leg in self.legs:
            if leg.step.name == step:
                return leg
        raise KeyError(f"{self.name} has no step {step}")

    def has(self, step: str) -> bool:
        return any(leg.step.name == step for leg in self.legs)

    def before(self, step: str) -> tuple[ItineraryStep, ...]:
        names = [leg.step.name for leg in self.legs]
        return self.legs[: names.index(step)]

    def after(self, step: str) -> str | None:
        """The name of the step that follows, or None at the end."""
        names = [leg.step.name for leg in self.legs]
        place = names.index(step) + 1
        return names[place] if place < len(names) else None

    @property
    def first(self) -> str:
        return self.legs[0].step.name


def _leg(step: Step, *, optional: bool = False) -> ItineraryStep:
    return ItineraryStep(step, optional=optional)


def _cutover(step: Step, *, fits_in: timedelta = AFTER_DRAIN) -> ItineraryStep:
    return ItineraryStep(step, changes_side=True, gated=True, fits_in=fits_in)


def _pause(*, fits_in: timedelta = CUTOVER) -> ItineraryStep:
    # The gate stands here too, so that senders are not paused for a number that may not cross.
    return ItineraryStep(PauseSends(), gated=True, fits_in=fits_in)


def _arrival() -> tuple[ItineraryStep, ...]:
    """From the first look at Cloud to the profile: the same for every way that ends there."""
    return (
        _leg(Confirm()),
        _leg(SwitchRoute()),
        _leg(SendSmoke()),
        _leg(ProveSmoke()),
        _leg(ResumeSends()),
        _leg(RestoreProfile(), optional=True),
    )


WITH_BACKUP = Itinerary(
    ItineraryName.WITH_BACKUP,
    (
        _leg(Snapshot()),
        _leg(SecurePin()),
        _leg(BackUp()),
        _leg(Subscribe()),
        _leg(SetStorage()),
        _pause(),
        _leg(Drain()),
        _cutover(Register(with_backup=True)),
        *_arrival(),
        _leg(DeregisterOnPrem()),
    ),
)

CODE_FIRST = Itinerary(
    ItineraryName.CODE_FIRST,
    (
        _leg(Snapshot()),
        _leg(SecurePin()),
        _leg(BackUp(), optional=True),
        _leg(Subscribe()),
        _leg(SetStorage()),
        _leg(RequestCode()),
        _leg(VerifyCode()),
        _pause(),
        _leg(Drain()),
        _cutover(DeregisterOnPrem()),
        _cutover(Register(with_backup=False)),
        *_arrival(),
    ),
)

CODE_AFTER = Itinerary(
    ItineraryName.CODE_AFTER,
    (
        _leg(Snapshot(), optional=True),
        _leg(SecurePin()),
        _leg(BackUp(), optional=True),
        _leg(Subscribe()),
        _leg(SetStorage()),
        _pause(fits_in=CUTOVER_WITH_CODE),
        _leg(Drain(), optional=True),
        _cutover(DeregisterOnPrem(), fits_in=AFTER_DRAIN + FOR_A_CODE),
        _leg(RequestCode()),
        _leg(VerifyCode()),
        _cutover(Register(with_backup=False)),
        *_arrival(),
    ),
)

ONBOARD = Itinerary(
    ItineraryName.ONBOARD,
    (
        _leg(Subscribe()),
        _leg(SetStorage()),
        _leg(SecurePin()),
        _leg(RequestCode()),
        _leg(VerifyCode()),
        _cutover(Register(with_backup=False), fits_in=CUTOVER),
        _leg(Confirm()),
        _leg(SendSmoke()),
        _leg(ProveSmoke()),
        _leg(RestoreProfile(), optional=True),
    ),
)

BACK_TO_ONPREM = Itinerary(
    ItineraryName.BACK_TO_ONPREM,
    (
        _leg(PauseSends(goes_to=Side.ON_PREMISES)),
        _cutover(DeregisterCloud()),
        _leg(StartOnPrem()),
        ItineraryStep(RestoreOnPrem(), changes_side=True, optional=True),
        _leg(RestartOnPrem(), optional=True),
        _leg(ConfirmOnPrem(), optional=True),
        _leg(RequestCodeOnPrem()),
        ItineraryStep(VerifyCodeOnPrem(), changes_side=True),
        _leg(SmokeOnPrem()),
        _leg(SwitchRoute(goes_to=Side.ON_PREMISES)),
        _leg(ResumeSends(goes_to=Side.ON_PREMISES)),
    ),
    goes_to=Side.ON_PREMISES,
)

FORWARD_RECOVERY = Itinerary(
    ItineraryName.FORWARD_RECOVERY,
    (
        _leg(ReadBothSides()),
        _leg(SecurePin()),
        _leg(RequestCode()),
        _leg(VerifyCode()),
        _cutover(Register(with_backup=False)),
        *_arrival(),
    ),
)

# Before the point of no return there is nothing to take back but words to senders: that they should wait, and, where
# an earlier way of the number came to nothing, where to send.
ABORT = Itinerary(
    ItineraryName.ABORT,
    (_leg(SwitchRoute(goes_to=None)), _leg(ResumeSends(goes_to=None))),
    ends_as=Status.ABORTED,
    goes_to=None,
)

FORWARD = (WITH_BACKUP, CODE_FIRST, CODE_AFTER, ONBOARD)
ITINERARIES = {one.name: one for one in (*FORWARD, BACK_TO_ONPREM, FORWARD_RECOVERY, ABORT)}


def itinerary_named(name: str) -> Itinerary:
    """Raises ValueError for a name that is no itinerary."""
    return ITINERARIES[ItineraryName(name)]

"""The itineraries: which steps a number takes, in which order. Order lives here and nowhere else."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from migration.engine.variants import Variant
from state.code_steps import REQUEST_STEPS
from state.enums import Side, Status

if TYPE_CHECKING:
    from migration.steps.protocol import Step

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

    name: str
    variant: Variant = Variant.USUAL
    optional: bool = False  # passed over where the instance cannot do it
    changes_side: bool = False
    gated: bool = False  # holds, windows and halts act here
    fits_in: timedelta = timedelta()  # what the cutover may take from here; a window needs that much left

    own: "Step | None" = None  # in an itinerary that is made by hand

    @property
    def step(self) -> "Step":
        # Whoever only looks at the order, as `cutover status`, loads neither the steps nor their clients.
        from migration.engine.step_objects import step_named  # noqa: PLC0415

        return self.own or step_named(self.name, self.variant)


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

    def needs_person(self, step: str) -> bool:
        """Whether somebody has to be at the phone before this step: it asks for a code, or a code is asked after it
        while the number is paused or dark.
        """
        if step in REQUEST_STEPS:
            return True
        stops = step == "pause_sends" or self.at(step).gated
        return stops and any(name in REQUEST_STEPS for name in self._names[self._names.index(step) :])

    @property
    def first(self) -> str:
        return self.steps[0].name

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.steps)


def _step(name: str, variant: Variant = Variant.USUAL, *, optional: bool = False) -> ItineraryStep:
    return ItineraryStep(name, variant, optional=optional)


def _cutover(name: str, variant: Variant = Variant.USUAL, *, fits_in: timedelta = AFTER_DRAIN) -> ItineraryStep:
    return ItineraryStep(name, variant, changes_side=True, gated=True, fits_in=fits_in)


def _pause(*, fits_in: timedelta = CUTOVER) -> ItineraryStep:
    # The gate stands here too, so that senders are not paused for a number that may not cross.
    return ItineraryStep("pause_sends", gated=True, fits_in=fits_in)


def _after_register() -> tuple[ItineraryStep, ...]:
    """From the first reading of Cloud to the profile: the same in every itinerary that ends on Cloud."""
    return (
        _step("confirm"),
        _step("switch_route"),
        _step("send_smoke"),
        _step("prove_smoke"),
        _step("resume_sends"),
        _step("restore_profile", optional=True),
    )


WITH_BACKUP = Itinerary(
    ItineraryName.WITH_BACKUP,
    (
        _step("snapshot"),
        _step("secure_pin"),
        _step("back_up"),
        _step("subscribe"),
        _step("set_storage"),
        _pause(),
        _step("drain"),
        _cutover("register", Variant.WITH_BACKUP),
        *_after_register(),
        _step("deregister_onprem"),
    ),
)

CODE_FIRST = Itinerary(
    ItineraryName.CODE_FIRST,
    (
        _step("snapshot"),
        _step("secure_pin"),
        _step("back_up", optional=True),
        _step("subscribe"),
        _step("set_storage"),
        _step("request_code"),
        _step("verify_code"),
        _pause(),
        _step("drain"),
        _cutover("deregister_onprem"),
        _cutover("register"),
        *_after_register(),
    ),
)

CODE_AFTER = Itinerary(
    ItineraryName.CODE_AFTER,
    (
        _step("snapshot", optional=True),
        _step("secure_pin"),
        _step("back_up", optional=True),
        _step("subscribe"),
        _step("set_storage"),
        _pause(fits_in=CUTOVER_WITH_CODE),
        _step("drain", optional=True),
        _cutover("deregister_onprem", fits_in=AFTER_DRAIN + FOR_A_CODE),
        _step("request_code"),
        _step("verify_code"),
        _cutover("register"),
        *_after_register(),
    ),
)

ONBOARD = Itinerary(
    ItineraryName.ONBOARD,
    (
        _step("subscribe"),
        _step("set_storage"),
        _step("secure_pin"),
        _step("request_code"),
        _step("verify_code"),
        _cutover("register", fits_in=CUTOVER),
        _step("confirm"),
        _step("send_smoke"),
        _step("prove_smoke"),
        _step("restore_profile", optional=True),
    ),
)

BACK_TO_ONPREM = Itinerary(
    ItineraryName.BACK_TO_ONPREM,
    (
        _step("pause_sends", Variant.TO_ONPREM),
        _cutover("deregister_cloud"),
        _step("start_onprem"),
        ItineraryStep("restore_onprem", changes_side=True, optional=True),
        _step("restart_onprem", optional=True),
        _step("confirm_onprem", optional=True),
        _step("request_code_onprem"),
        ItineraryStep("verify_code_onprem", changes_side=True),
        _step("smoke_onprem"),
        _step("switch_route", Variant.TO_ONPREM),
        _step("resume_sends", Variant.TO_ONPREM),
    ),
    goes_to=Side.ON_PREMISES,
)

FORWARD_RECOVERY = Itinerary(
    ItineraryName.FORWARD_RECOVERY,
    (
        _step("read_both_sides"),
        _step("secure_pin"),
        _step("request_code"),
        _step("verify_code"),
        _cutover("register"),
        *_after_register(),
    ),
)

# Before the point of no return there is nothing to take back but two announcements to senders: that they should wait,
# and, where an earlier itinerary of the number came to nothing, where to send.
ABORT = Itinerary(
    ItineraryName.ABORT,
    (_step("switch_route", Variant.NOWHERE), _step("resume_sends", Variant.NOWHERE)),
    ends_as=Status.ABORTED,
    goes_to=None,
)

FORWARD = (WITH_BACKUP, CODE_FIRST, CODE_AFTER, ONBOARD)
ITINERARIES = {itinerary.name: itinerary for itinerary in (*FORWARD, BACK_TO_ONPREM, FORWARD_RECOVERY, ABORT)}


def itinerary_named(name: str) -> Itinerary:
    """Raises ValueError for a name that is no itinerary."""
    return ITINERARIES[ItineraryName(name)]


def known_itinerary(name: str, step: str | None) -> Itinerary | None:
    """The itinerary, where this release has it with that step: a row may be another release's, or changed by hand."""
    found = next((one for one in ITINERARIES.values() if one.name == name), None)
    return found if found is not None and (step is None or found.has(step)) else None

"""Field facts that an answer contradicts, or shows: kept with when and by what, and believed or not from then on."""

from migration.engine.refusals import CODE_NOT_ELIGIBLE
from migration.engine.step_run import StepRun
from migration.errors import Rejected, Transient
from state.enums import PinProvenance, Side
from state.ledger.changes import FactMeasured, FactRefuted

PIN_FACT = "pin_while_not_on_cloud"
# What `register` may answer to a wrong PIN: `refusals` has them as one rule, and docs/unconfirmed.md says why.
WRONG_PIN = frozenset({133005, 131031, 133008, 133009})
# What Graph's PIN call is answered where it sets none: not registered, or a parameter that it does not take.
SETS_NO_PIN = frozenset({133010, 100})


def refuted_by(run: StepRun, exc: Transient | Rejected) -> tuple[FactRefuted | FactMeasured, ...]:
    """The fact that was believed when the call was made, where this refusal shows that it does not hold."""
    if not isinstance(exc, Rejected):
        return ()
    believed = run.number.facts
    for name, value, contradicts in (
        ("onprem_registration", "open", _takes_no_number(run, exc)),
        ("code_while_on_premises", "accepted", _sends_no_code(run, exc)),
        (PIN_FACT, "accepted", _sets_no_pin(run, exc)),
    ):
        if contradicts and believed.get(name) == value:
            return (FactRefuted(name, value, str(exc)),)
    if _names_a_pin_of_graph(run) and exc.error_code in WRONG_PIN:
        return (FactMeasured(PIN_FACT, "onprem_keeps", "accepted", str(exc)),)
    return ()


def tries_a_pin(run: StepRun) -> bool:
    """Nobody knows yet whether Graph has set the PIN that this `register` names: others wait for the answer."""
    return _names_a_pin_of_graph(run) and PIN_FACT not in run.number.facts


def shown_by_success(run: StepRun) -> tuple[FactMeasured, ...]:
    """What a call that had its effect shows where nobody knew it."""
    if not tries_a_pin(run):
        return ()
    return (FactMeasured(PIN_FACT, "accepted", "", "register went through with a PIN that Graph said it had set"),)


def _names_a_pin_of_graph(run: StepRun) -> bool:
    """Graph answered that it set the PIN of a number of On-Premises: right for all such numbers, or wrong for all."""
    number = run.number
    shown = number.result_of("snapshot") or number.result_of("read_both_sides")
    set_by_graph = number.state.pin_provenance is PinProvenance.SET_ON_CLOUD
    return run.contract.name == "register" and set_by_graph and shown.get("cloud_platform") == "ON_PREMISE"


def _sets_no_pin(run: StepRun, exc: Rejected) -> bool:
    through_graph = run.attempt is not None and run.attempt.intent.get("route") == "cloud"
    return run.contract.name == "secure_pin" and through_graph and exc.error_code in SETS_NO_PIN


def _takes_no_number(run: StepRun, exc: Rejected) -> bool:
    """1005 `biz_link_on_prem_reg_blocked`: https://developers.facebook.com/docs/whatsapp/on-premises/reference/account"""
    return "onprem" in run.contract.name and "reg_blocked" in exc.details.lower()


def _sends_no_code(run: StepRun, exc: Rejected) -> bool:
    eligible = exc.error_code != 136024 or exc.error_subcode not in CODE_NOT_ELIGIBLE
    return run.contract.name == "request_code" and run.number.state.side is Side.ON_PREMISES and not eligible

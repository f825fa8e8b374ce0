"""Field facts that an answer contradicts: not believed any more, and kept with when and by what."""

from migration.engine.refusals import CODE_NOT_ELIGIBLE
from migration.engine.step_run import StepRun
from migration.errors import Rejected, Transient
from state.enums import PinProvenance, Side
from state.ledger.changes import FactMeasured, FactRefuted

WRONG_PIN = 133005


def refuted_by(run: StepRun, exc: Transient | Rejected) -> tuple[FactRefuted | FactMeasured, ...]:
    """The fact that was believed when the call was made, where this refusal shows that it does not hold."""
    if not isinstance(exc, Rejected):
        return ()
    believed = run.number.facts
    for name, value, contradicts in (
        ("onprem_registration", "open", _takes_no_number(run, exc)),
        ("code_while_on_premises", "accepted", _sends_no_code(run, exc)),
    ):
        if contradicts and believed.get(name) == value:
            return (FactRefuted(name, value, str(exc)),)
    if _kept_its_pin(run, exc):
        return (FactMeasured("pin_while_not_on_cloud", "onprem_keeps", "accepted", str(exc)),)
    return ()


def _kept_its_pin(run: StepRun, exc: Rejected) -> bool:
    """Graph answered that it set the PIN of a number of On-Premises, and that PIN is wrong: so it is for all others."""
    number = run.number
    shown = number.result_of("snapshot") or number.result_of("read_both_sides")
    set_by_graph = number.state.pin_provenance is PinProvenance.SET_ON_CLOUD
    wrong = run.contract.name == "register" and exc.error_code == WRONG_PIN
    return wrong and set_by_graph and shown.get("cloud_platform") == "ON_PREMISE"


def _takes_no_number(run: StepRun, exc: Rejected) -> bool:
    """1005 `biz_link_on_prem_reg_blocked`: https://developers.facebook.com/docs/whatsapp/on-premises/reference/account"""
    return "onprem" in run.contract.name and "reg_blocked" in exc.details.lower()


def _sends_no_code(run: StepRun, exc: Rejected) -> bool:
    eligible = exc.error_code != 136024 or exc.error_subcode not in CODE_NOT_ELIGIBLE
    return run.contract.name == "request_code" and run.number.state.side is Side.ON_PREMISES and not eligible

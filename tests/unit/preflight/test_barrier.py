"""What nobody expected of one number fails its own preflight and ends no other."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from sqlalchemy.exc import OperationalError

from migration.app import App
from migration.errors import BadSetting, CredentialsRefused
from migration.home.admin_file import AdminSettings
from migration.preflight.assessment import _run_check, run_preflight
from migration.preflight.check import CheckResult, Verdict
from migration.scrubbing.texts import as_safe
from migration.settings import Settings
from migration.steps.number import Number
from migration.vault.sealing import MissingKey, WrongKey
from state.rows import Position
from tests.harness.hand_made_number import NOW, make_number
from tests.harness.positions import make_position


def app_with(load: Callable[[Position], Number]) -> App:
    """An object graph of which only what preflight uses is there."""

    async def load_number(position: Position, now: Any) -> Number:
        return load(position)

    async def now() -> Any:
        return NOW

    async def budget_spent(phone_number_id: str, call: str) -> tuple[int, None]:
        return 0, None

    async def record_note(*given: Any) -> None: ...

    queries = SimpleNamespace(now=now, gate=SimpleNamespace(budget_spent=budget_spent))
    ledger = SimpleNamespace(findings=SimpleNamespace(record_note=record_note))
    loader = SimpleNamespace(load=load_number)
    settings = {"admin": AdminSettings(), "settings": Settings()}
    return cast(App, SimpleNamespace(loader=loader, queries=queries, ledger=ledger, **settings))


@pytest.mark.parametrize(
    ("exc", "message"),
    [
        (BadSetting("cutover.toml names no hook senders"), "secrets and settings: cutover.toml names no hook senders"),
        (WrongKey("a sealed secret does not open"), "secrets and settings: a sealed secret does not open"),
        (KeyError("112233"), "internal error in secrets and settings: KeyError"),
    ],
)
async def test_a_number_that_cannot_be_loaded_fails_alone(exc: Exception, message: str) -> None:
    def load(position: Position) -> Number:
        if position.ref == "N-0001":
            raise exc
        return make_number()

    numbers = [make_position(ref="N-0001"), make_position(ref="N-0002")]
    first, second = await run_preflight(app_with(load), numbers)
    (result,) = first.results
    assert (result.verdict, result.message, result.runbook) == (Verdict.FAIL, message, "runbooks/internal-error.md")
    assert len(second.results) > 1


class OddCheck:
    name: ClassVar[str] = "callback queue"

    async def run(self, number: Number) -> CheckResult | None:
        raise KeyError("112233")


async def test_an_error_that_nobody_expects_fails_its_check_alone() -> None:
    result = await _run_check(OddCheck(), make_number())
    message = "internal error in callback queue: KeyError"
    assert result == CheckResult("callback queue", Verdict.FAIL, message, "runbooks/internal-error.md")


class RefusedCheck:
    name: ClassVar[str] = "number at Graph"

    async def run(self, number: Number) -> CheckResult | None:
        raise CredentialsRefused("no access", 200, as_safe("no access"))


async def test_a_token_that_may_not_read_a_number_says_nothing_about_the_number() -> None:
    result = await _run_check(RefusedCheck(), make_number())
    assert result == CheckResult("number at Graph", Verdict.NOT_LOOKED, "no access", "runbooks/token-refused.md")


@pytest.mark.parametrize("exc", [MissingKey("no such key"), OperationalError("SELECT", {}, Exception("locked"))])
async def test_what_every_number_would_meet_ends_the_preflight(exc: Exception) -> None:
    def load(position: Position) -> Number:
        raise exc

    with pytest.raises(type(exc)):
        await run_preflight(app_with(load), [make_position()])

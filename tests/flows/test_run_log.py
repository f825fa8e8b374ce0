"""The log of a Prefect run has each transition, and nothing that a log must not show."""

import io
import logging
from typing import Any

import pytest
from prefect import flow
from prefect.logging.handlers import PrefectConsoleHandler

from flows.common import open_flow_app, run_in_task
from flows.migrate_number import migrate_number
from flows.run_log import RunLogHandler, keep_transitions_off_console
from migration.runtime.log import get_logger, log_to
from migration.steps.outcomes import Outcome
from tests.flows.marks import FLOWS_IN_THIS_PROCESS
from tests.harness.flow_environment import FlowEnvironment

pytestmark = FLOWS_IN_THIS_PROCESS


class Kept(logging.Handler):
    """What Prefect's run loggers are given, tracebacks too."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


@pytest.fixture
def run_log() -> Any:
    handler = Kept()
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler.lines
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture
def console() -> Any:
    """What Prefect prints on the console of the process that runs a flow."""
    text = io.StringIO()
    handler = PrefectConsoleHandler(stream=text)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


async def test_transitions_are_in_the_log_of_a_run_and_not_on_its_console(
    run_log: list[str], console: io.StringIO
) -> None:
    logger = get_logger("engine")

    @flow(name="transitions", persist_result=False)
    async def transitions() -> None:
        keep_transitions_off_console()
        with log_to(RunLogHandler(), "run-1"):
            logger.info("N-0001 advanced: step=register", extra={"event": "advanced"})
            logger.warning("N-0001 blocked: step=register", extra={"event": "blocked"})
            logger.info("the wave has ended")

    await transitions()
    ours = ["N-0001 advanced: step=register", "N-0001 blocked: step=register", "the wave has ended"]
    assert [line for line in run_log if line in ours] == ours
    assert [line for line in console.getvalue().splitlines() if line in ours] == ours[1:]


@pytest.mark.slow
async def test_the_log_of_a_run_has_each_transition_once(environment: FlowEnvironment, run_log: list[str]) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    await migrate_number("N-0001", return_state=True)
    (number,) = await environment.sandbox_numbers()
    intents = [line for line in run_log if "intent: step=register" in line]
    assert len(intents) == 1
    assert any("advanced: step=register" in line for line in run_log)
    assert number["e164"].lstrip("+") not in "\n".join(run_log)


async def test_what_an_unexpected_error_quotes_is_not_in_the_log_of_a_run(run_log: list[str]) -> None:
    async def work() -> Outcome:
        raise KeyError("EAAGm0PX4ZCpsBAKZCbx9QZD of +34657786453")

    @flow(name="unexpected", persist_result=False)
    async def unexpected() -> None:
        with pytest.raises(KeyError):
            await run_in_task("move", "N-0001", work)

    await unexpected()
    everything = "\n".join(run_log)
    assert "internal error: KeyError" in everything
    assert "EAAG" not in everything
    assert "34657786453" not in everything


async def test_the_log_outside_of_a_run_ends_nothing(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    async with open_flow_app(dry_run=True):
        logging.getLogger("cutover.engine").warning("nobody listens")

"""The log: structured, one line a record, and nothing that a log must not show."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from migration.runtime.log import (
    RUN,
    JsonLines,
    PlainLines,
    _StderrHandler,
    get_logger,
    guard_foreign_loggers,
    log_to,
    log_to_stderr,
)
from migration.scrubbing.texts import remember
from tests.harness.kept_log import Kept

TOKEN, NUMBER = "EAAGm0PX4ZCpsBAKZCbx9QZD", "+34657786453"


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    with log_to(handler, "run-1"):
        yield handler


@pytest.fixture(autouse=True)
def _set_back() -> Iterator[None]:
    logger = logging.getLogger("cutover")
    before, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = before
    logger.setLevel(level)


def test_a_logger_that_is_given_a_token_and_a_number_shows_neither(kept: Kept) -> None:
    remember(SecretStr(TOKEN))
    get_logger("test").info("%s of %s", TOKEN, NUMBER, extra={"sent": f"token={TOKEN}", "to": [NUMBER], "tries": 3})
    (record,) = kept.records
    everything = f"{vars(record)} {JsonLines().format(record)} {PlainLines().format(record)}"
    assert TOKEN not in everything
    assert NUMBER not in everything
    assert "34657786453" not in everything
    assert json.loads(JsonLines().format(record))["tries"] == 3


def test_a_traceback_in_the_log_has_places_and_no_values(kept: Kept) -> None:
    remember(SecretStr(TOKEN))
    try:
        _ = dict[str, str]()[TOKEN]
    except KeyError:
        get_logger("test").exception("it did not work", stack_info=True)
    (record,) = kept.records
    fields = json.loads(JsonLines().format(record))
    assert fields["message"] == "it did not work (KeyError)"
    assert "test_log.py" in fields["frames"][-1]
    assert TOKEN not in f"{vars(record)} {fields}"
    assert record.exc_info is None


def test_a_record_whose_arguments_do_not_fit_ends_nothing(kept: Kept) -> None:
    get_logger("test").info("%d", "x")
    assert kept.records[0].getMessage() == "a log record that cannot be shown"


def test_a_record_cannot_forge_a_second_line(kept: Kept) -> None:
    get_logger("test").info("a\nERROR b\x1b[2J")
    assert PlainLines().format(kept.records[0]).endswith("INFO a ERROR b")
    assert "\n" not in JsonLines().format(kept.records[0])


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "sqlalchemy.engine.Engine", "asyncio"])
def test_what_libraries_log_is_scrubbed(name: str) -> None:
    guard_foreign_loggers()
    handler, logger = Kept(), logging.getLogger(name)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        logger.info("GET %s", f"https://u:p@graph/v25.0/1?input_token={TOKEN}&to={NUMBER}")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert handler.records[0].getMessage() == "GET https://graph/v25.0/1?•••"


def test_json_lines_go_to_standard_error_once(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(as_json=True)
    log_to_stderr(as_json=True)
    token = RUN.set("run-7")
    get_logger("test").info("hello", extra={"event": "advanced", "step": "register"})
    RUN.reset(token)
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    fields = json.loads(line)
    assert (fields["message"], fields["level"], fields["run"]) == ("hello", "INFO", "run-7")
    assert (fields["event"], fields["step"]) == ("advanced", "register")
    assert fields["time"].endswith("+00:00")
    assert output.out == ""


def test_people_see_warnings_and_no_transition_unless_they_ask(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(as_json=False)
    get_logger("test").info("quiet")
    get_logger("test").warning("N-0001 blocked", extra={"event": "blocked"})
    get_logger("test").warning("loud")
    assert capsys.readouterr().err.endswith("WARNING loud\n")
    log_to_stderr(as_json=False, verbose=True)
    get_logger("test").info("N-0001 advanced", extra={"event": "advanced"})
    assert "INFO N-0001 advanced" in capsys.readouterr().err


def test_importing_us_configures_no_logging() -> None:
    import subprocess

    code = (
        "import logging, migration.app, migration.runtime.log as log; log.get_logger('x'); root = logging.getLogger();"
        "print(root.handlers, logging.getLogger('cutover').handlers, logging.getLogger('cutover').level)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[] [] 0\n"


def test_nobody_makes_a_logger_that_is_not_scrubbed() -> None:
    from pathlib import Path

    top = Path(__file__).parents[3]
    makers = {
        str(path.relative_to(top))
        for folder in ("migration", "state", "flows")
        for path in (top / folder).rglob("*.py")
        if "logging.getLogger(" in path.read_text()
    }
    assert makers == {"migration/runtime/log.py", "migration/clients/http_clients.py"}


def test_the_handler_of_a_command_writes_to_the_present_standard_error() -> None:
    assert _StderrHandler().stream is sys.stderr

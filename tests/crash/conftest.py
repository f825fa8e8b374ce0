"""How often a worker was killed, at the end of what pytest prints."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.harness.crash_matrix import KILLED

PROPERTY = "killed"


@pytest.fixture(autouse=True)
def _count_kills(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("INFO", logger="tests.crash_matrix")
    yield
    kills = [record.args for record in caplog.get_records("call") if record.msg == KILLED]
    request.node.user_properties += [(PROPERTY, str(kind)) for (kind,) in (args for args in kills if args)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ended = [report for reports in terminalreporter.stats.values() for report in reports]
    # Two workers of xdist send their reports here; a test's properties are whole with its last one.
    last = [report for report in ended if getattr(report, "when", "") == "teardown"]
    kills = Counter(value for report in last for name, value in report.user_properties if name == PROPERTY)
    if kills:
        tests = sum(1 for report in last if any(name == PROPERTY for name, _ in report.user_properties))
        by_kind = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in sorted(kills.items()))
        failed = len({report.nodeid for report in terminalreporter.stats.get("failed", [])})
        terminalreporter.write_line(
            f"Workers killed in {tests:,} tests: {kills.total():,} ({by_kind}); {failed:,} tests failed."
        )

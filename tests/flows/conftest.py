"""Prefect's own test server for flows in this process, and a fleet in a sandbox that is another process."""

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from migration.demo.servers import DemoServers
from tests.harness.flow_environment import FlowEnvironment


@pytest.fixture(scope="session")
def prefect_test_server() -> Iterator[None]:
    """Started once for all tests of a process."""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def collect_garbage() -> Iterator[None]:
    """Collect what Prefect left unclosed inside the test that ignores the warnings, not in a later test."""
    yield
    gc.collect()


@pytest_asyncio.fixture(loop_scope="session")
async def environment(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FlowEnvironment]:
    """The environment variables of this process point at it: flows read their settings from there."""
    async with DemoServers(tmp_path) as stack:
        for name in [name for name in os.environ if name.startswith("CUTOVER_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("CUTOVER_HOME", str(stack.home))
        monkeypatch.setenv("CUTOVER_GRAPH_URL", "")
        yield FlowEnvironment(stack, sqlite_template)

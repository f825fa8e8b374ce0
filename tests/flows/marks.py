"""The marks of all tests that run flows inside this process."""

import pytest

# One event loop for all tests: Prefect keeps connections between runs, and leaves some to the garbage collector.
FLOWS_IN_THIS_PROCESS = [
    pytest.mark.usefixtures("prefect_test_server", "collect_garbage"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

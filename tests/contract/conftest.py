import os
from pathlib import Path

import pytest

from tests.contract.recorded_calls import ContractSetup
from tests.contract.spec import Spec


@pytest.fixture(scope="session")
def spec() -> Spec:
    """Meta's OpenAPI file. Tests that need it are skipped where `META_OPENAPI` does not name it."""
    path = os.environ.get("META_OPENAPI")
    if not path:
        pytest.skip("not run: META_OPENAPI does not say where Meta's OpenAPI file is (.ci/run sets it)")
    return Spec(Path(path))


@pytest.fixture
def setup() -> ContractSetup:
    return ContractSetup()

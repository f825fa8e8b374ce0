import os
from pathlib import Path

import pytest

from tests.contract.recorded_calls import Town
from tests.contract.spec import Spec


@pytest.fixture(scope="session")
def spec() -> Spec:
    """Meta's file. Without it nothing here is run, and the report says so."""
    told = os.environ.get("META_OPENAPI")
    if not told:
        pytest.skip("not run: META_OPENAPI does not say where Meta's OpenAPI file is (.ci/run sets it)")
    return Spec(Path(told))


@pytest.fixture
def town() -> Town:
    return Town()

"""One rotation at a time; the lock ends with its holder."""

from pathlib import Path

import pytest

from migration.vault.rotation_lock import rotation_lock
from state.errors import LeaseLost


@pytest.mark.parametrize("beside", ["master.key", "."])
def test_a_second_rotation_is_refused_until_the_first_has_ended(tmp_path: Path, beside: str) -> None:
    with rotation_lock(tmp_path / beside), pytest.raises(LeaseLost, match="another rotation"):
        rotation_lock(tmp_path / beside).__enter__()
    with rotation_lock(tmp_path / beside):
        pass

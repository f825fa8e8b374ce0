"""One rotation of the master key at a time, on whatever machine it runs."""

import pytest

from state.database_lock import only_rotation
from state.errors import LeaseLost


async def test_a_second_rotation_is_refused_until_the_first_has_ended(database_url: str) -> None:
    async with only_rotation(database_url):
        if database_url.startswith("postgresql"):
            with pytest.raises(LeaseLost, match="another machine"):
                async with only_rotation(database_url):
                    pytest.fail("both of them would put a new key first")
    async with only_rotation(database_url):
        pass

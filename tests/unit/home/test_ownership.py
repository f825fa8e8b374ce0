"""A database that other processes open meanwhile is no older copy of itself."""

from dataclasses import dataclass
from pathlib import Path

from migration.home.identity_file import Identity, write_identity
from migration.home.ownership import read_home
from migration.settings import Settings
from state.home import HomeRow


@dataclass
class OpenedMeanwhile:
    """The row, read just before another process counts its opening, in the database and then in the folder."""

    settings: Settings
    openings: int
    others: int

    async def read(self) -> HomeRow:
        row = HomeRow("home", None, self.openings, 0, None, None, None, None)
        write_identity(self.settings, Identity("home", self.openings + self.others))
        return row


async def test_an_opening_that_is_counted_meanwhile_makes_no_older_copy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_identity(settings, Identity("home", 5))
    _, is_older_copy = await read_home(settings, OpenedMeanwhile(settings, 5, 1))  # type: ignore[arg-type]
    assert not is_older_copy


async def test_a_database_that_is_behind_its_folder_is_an_older_copy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_identity(settings, Identity("home", 7))
    _, is_older_copy = await read_home(settings, OpenedMeanwhile(settings, 5, 0))  # type: ignore[arg-type]
    assert is_older_copy

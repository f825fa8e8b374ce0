"""Pages about the code name files that exist, and every folder of the product."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
FOLDERS = ("flows", "migration", "state", "sandbox", "alembic", "runbooks", "tests", "docs", "bench", ".ci")


def named_paths(page: str) -> set[str]:
    """What stands in backticks or as a link and begins with a folder of ours, or is a file at the top."""
    text = (TOP / page).read_text()
    candidates = set(re.findall(r"`([\w./-]+)`", text)) | set(re.findall(r"\]\(([\w./-]+)\)", text))
    is_path = re.compile(rf"({'|'.join(map(re.escape, FOLDERS))})(/|$)|[A-Z]+\.md$|\w+\.toml$")
    return {path for path in candidates if is_path.match(path)}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_on_the_page_exists(page: str) -> None:
    paths = named_paths(page)
    assert len(paths) > 5, "the pattern finds no paths any more"
    beside = (TOP / page).parent
    assert {path for path in paths if not (TOP / path).exists() and not (beside / path).exists()} == set()


def test_the_architecture_names_every_folder_of_the_product() -> None:
    named = named_paths("docs/architecture.md")
    folders = {f"migration/{path.name}/" for path in (TOP / "migration").iterdir() if (path / "__init__.py").exists()}
    assert folders - named == set()

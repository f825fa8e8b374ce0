"""The runbooks as files, and the commands that each tells an operator to type."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted((REPOSITORY / "runbooks").glob("*.md"))


def commands_in(page: Path) -> list[str]:
    """Every line of a page's shell blocks, in order."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]

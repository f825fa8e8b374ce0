"""The runbooks as files, and what each tells an operator to type."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted((TOP / "runbooks").glob("*.md"))


def typed(page: Path) -> list[str]:
    """Every line in a page's shell blocks."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]

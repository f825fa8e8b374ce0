"""Public classes and modules have unique names, so that a name in a traceback or an import says which one it is."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

TOP = Path(__file__).resolve().parents[2]
PRODUCT = ("migration", "state", "flows")
# A command, a page or a part of the demo may have the name of what it shows: `cli/hold.py` is the verb `hold`.
NAMED_AFTER_OTHERS = ("migration/cli/", "migration/web/", "migration/demo/")
PACKAGE_FILES = ("__init__.py", "__main__.py")


def files_of(*folders: str) -> Iterator[PurePosixPath]:
    """Paths relative to the repository."""
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*.py")):
            yield PurePosixPath(path.relative_to(TOP))


def public_classes(path: PurePosixPath) -> list[str]:
    """The names of the classes that a file defines at its top level, without those that begin with an underscore."""
    nodes = ast.parse((TOP / path).read_text()).body
    return [node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def repeated(names: list[tuple[str, PurePosixPath]]) -> dict[str, list[str]]:
    """Each name that occurs more than once, with its files."""
    files: dict[str, list[str]] = defaultdict(list)
    for name, path in names:
        files[name].append(str(path))
    return {name: paths for name, paths in files.items() if len(paths) > 1}


def test_no_two_public_classes_of_the_product_have_one_name() -> None:
    assert repeated([(name, path) for path in files_of(*PRODUCT) for name in public_classes(path)]) == {}


def test_no_two_modules_of_migration_have_one_name() -> None:
    modules = [
        (path.name, path)
        for path in files_of("migration")
        if path.name not in PACKAGE_FILES and not str(path).startswith(NAMED_AFTER_OTHERS)
    ]
    assert repeated(modules) == {}


def test_the_check_finds_classes_and_repeated_names() -> None:
    path = PurePosixPath("migration/errors.py")
    assert "MigrationError" in public_classes(path)
    assert repeated([("A", path), ("B", path), ("A", PurePosixPath("state/errors.py"))]) == {
        "A": ["migration/errors.py", "state/errors.py"]
    }

"""What is installed beside this Python, by its own metadata: names, versions, licences, and who needs whom."""

from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def packages() -> list[Distribution]:
    """Sorted by name; each once."""
    by_name = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
    return [by_name[name] for name in sorted(by_name)]


def needs(package: Distribution, extras: frozenset[str] = frozenset()) -> Iterator[Requirement]:
    """What it needs here: requirements for other platforms, Pythons and extras are left out."""
    for text in package.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            yield requirement


def needed_by(requirements: Iterable[Requirement]) -> frozenset[str]:
    """The canonical names of the requirements and of all that they need, as far as it is installed."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(canonicalize_name(one.name), frozenset(one.extras)) for one in requirements]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += [(canonicalize_name(one.name), frozenset(one.extras)) for one in needs(package, extras)]
    return frozenset(name for name, _ in found)


def licence(package: Distribution) -> str:
    """As the package states it: an SPDX expression, a classifier, or its own words; "not stated" otherwise."""
    stated = package.metadata["License-Expression"]
    if stated:
        return str(stated)
    classified = [
        text.rpartition(" :: ")[2] for text in package.metadata.get_all("Classifier", []) if "License" in text
    ]
    words = (package.metadata["License"] or "").strip().splitlines()
    return ", ".join(classified) or (words[0][:80] if words else "not stated")

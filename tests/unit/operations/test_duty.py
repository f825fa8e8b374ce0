"""Which operator on duty calls for which number."""

from collections import Counter
from datetime import timedelta

from migration.operations.duty import assigned
from state.ledger.people import Shift
from tests.harness.hand_made_number import NOW


def shift(operator: str, languages: str = "en") -> Shift:
    return Shift(operator, None, languages, "UTC", NOW, NOW + timedelta(hours=8))


REFS = [f"N-{place:04d}" for place in range(1, 301)]
ANA, BEN, CY = shift("Ana", "en pt-BR"), shift("Ben"), shift("Cy", "pt")


def test_nobody_on_duty_is_nobody() -> None:
    assert assigned("N-0001", "en", ()) is None


def test_each_has_about_as_many_and_keeps_them_when_another_comes() -> None:
    two = {ref: assigned(ref, "en", (ANA, BEN)) for ref in REFS}
    assert min(Counter(two.values()).values()) > 100
    three = {ref: assigned(ref, "en", (ANA, BEN, shift("Dan"))) for ref in REFS}
    assert {three[ref] for ref in REFS if three[ref] != two[ref]} == {"Dan"}


def test_whoever_speaks_the_language_calls_and_else_anybody() -> None:
    assert {assigned(ref, "pt_BR", (ANA, BEN, CY)) for ref in REFS} == {"Ana", "Cy"}
    assert {assigned(ref, "ja", (ANA, BEN)) for ref in REFS} == {"Ana", "Ben"}
    assert {assigned(ref, None, (ANA, BEN)) for ref in REFS} == {"Ana", "Ben"}


def test_whoever_has_the_person_on_the_phone_goes_on() -> None:
    assert {assigned(ref, "en", (ANA, BEN), "Ben") for ref in REFS} == {"Ben"}
    assert {assigned(ref, "en", (ANA,), "Ben") for ref in REFS} == {"Ana"}, "Ben has gone home"

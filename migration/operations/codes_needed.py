"""How many verification codes a set of numbers will need, and from whom. Nothing here asks for one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from migration.app import App
from migration.engine.itineraries import known_itinerary
from state.code_steps import CODE_STEPS
from state.queries.people import CustomerRow
from state.rows import Position


@dataclass(frozen=True, slots=True)
class CodesNeeded:
    """`customer`: whom to call. `numbers`: references of those that will need a code."""

    customer: CustomerRow
    numbers: tuple[str, ...]


def needs_code(position: Position) -> bool:
    """Whether a request of a code is still before it on its itinerary. Graph may show that none is needed."""
    if position.ended_at is not None or position.next_step is None:
        return False
    itinerary = known_itinerary(position.itinerary, position.next_step)
    if itinerary is None:
        return False  # whoever runs it says what is wrong with it
    ahead = itinerary.steps[len(itinerary.before(position.next_step)) :]
    return any(entry.name in CODE_STEPS for entry in ahead)


async def codes_needed(app: App, board: Sequence[Position]) -> tuple[CodesNeeded, ...]:
    """By customer, the one with the most numbers first."""
    numbers: dict[str, list[str]] = {}
    for position in board:
        if needs_code(position):
            numbers.setdefault(position.customer, []).append(position.ref)
    known = {row.name: row for row in await app.queries.people.customers()}
    needed = [CodesNeeded(known[name], tuple(refs)) for name, refs in numbers.items() if name in known]
    return tuple(sorted(needed, key=lambda item: (-len(item.numbers), item.customer.name)))


def codes_needed_lines(needed: Sequence[CodesNeeded]) -> list[str]:
    """For a person: how many, from whom, and what is missing to call them. Whom to call is in the inventory."""
    total = sum(len(item.numbers) for item in needed)
    if not total:
        return []
    lines = [
        f"{_count(total, 'code')} will be needed, from {_count(len(needed), 'customer')}; none has been asked for:"
    ]
    for item in needed:
        languages = f", {item.customer.language}" if item.customer.language else ""
        hours = f", {item.customer.hours} {item.customer.time_zone or 'UTC'}" if item.customer.hours else ""
        refs = ", ".join(item.numbers[:5]) + (", ..." if len(item.numbers) > 5 else "")
        lines.append(f"  {item.customer.name}: {_count(len(item.numbers), 'code')} ({refs}){languages}{hours}")
    missing = Counter(
        name
        for item in needed
        for name, value in (("contact", item.customer.contact), ("consent", item.customer.consent_by))
        if value is None
    )
    lines += [
        f"  no {name} is known of {_count(count, 'customer')}; docs/inventory.md" for name, count in missing.items()
    ]
    return lines


def codes_needed_document(needed: Sequence[CodesNeeded]) -> dict[str, object]:
    return {
        "codes_needed": sum(len(item.numbers) for item in needed),
        "codes_needed_from": [
            {
                "customer": item.customer.name,
                "numbers": list(item.numbers),
                "language": item.customer.language,
                "hours": item.customer.hours,
                "time_zone": item.customer.time_zone,
                "contact_known": item.customer.contact is not None,
                "consent_by": item.customer.consent_by,
            }
            for item in needed
        ],
    }


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")

"""What was true before a move against what is true after it: our lines say what the sandbox's own facts say."""

import hashlib
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from migration.operations.parity_reading import read_parity
from migration.operations.parity_wording import Comparison, Line, kept_parity
from sandbox.world.accounts import Subscription
from sandbox.world.number import Storage
from state.enums import Status
from state.proof import is_doubted
from tests.harness.in_process import Harness, MakeHarness

TEXTS = ("about", "address", "description", "email", "vertical", "websites")


def of_client(harness: Harness, e164: str) -> dict[str, Any]:
    """What the sandbox's client has, in Cloud's words: the profile, and which picture."""
    number = harness.sandbox.world.number(e164)
    client = harness.sandbox.world.instances[str(number.instance_id)]
    assert client.photo is not None
    return {**client.profile, "about": client.about, "picture": hashlib.sha256(client.photo).hexdigest()}


def of_cloud(harness: Harness, e164: str) -> dict[str, Any]:
    number = harness.sandbox.world.number(e164)
    return {**{name: number.profile.get(name) for name in TEXTS}, "picture": number.picture}


def verdicts(lines: tuple[Line, ...]) -> dict[str, Comparison]:
    return {line.what: line.verdict for line in lines}


def persons(lines: tuple[Line, ...]) -> set[str]:
    return {line.what for line in lines if line.verdict is Comparison.PERSON}


MOVES = [
    ("open", "verified", {}, "yes", Comparison.SAME),
    ("open", "verified", {"profile_survives": "no"}, "no", Comparison.RESTORED),
    ("closing", "no_backup", {}, "no", Comparison.RESTORED),
]


@pytest.mark.parametrize(("world", "kind", "switches", "survives", "verdict"), MOVES)
async def test_whatever_the_move_loses_of_the_profile_is_put_back_with_its_picture(
    make_harness: MakeHarness, world: str, kind: str, switches: dict[str, Any], survives: str, verdict: Comparison
) -> None:
    harness = await make_harness(kinds=[kind], world=world, switches={"profile_survives": survives} | switches)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        before = of_client(harness, position.e164)
        await harness.run_number(app, position.ref)
        assert of_cloud(harness, position.e164) == before  # what the other side has, not what we say
        lines = await read_parity(app, await app.queries.positions.get(position.migration_id))
        assert {name: verdicts(lines)[name] for name in before} == dict.fromkeys(before, verdict)
        kept = kept_parity(await app.queries.records.findings(position.migration_id))
        assert kept is not None
        assert kept["lines"] == [line.as_json() for line in lines]


def _lose_text(harness: Harness, number: Any, chance: random.Random) -> str:
    name = chance.choice([name for name in TEXTS if number.profile.get(name)])
    number.profile.pop(name)
    return name


def _lose_picture(harness: Harness, number: Any, chance: random.Random) -> str:
    number.profile.pop("profile_picture_url")
    return "picture"


def _lower_quality(harness: Harness, number: Any, chance: random.Random) -> str:
    number.quality = chance.choice(["YELLOW", "RED"])
    return "quality"


def _rename(harness: Harness, number: Any, chance: random.Random) -> str:
    number.name = "Another Name"
    return "display name"


def _store_elsewhere(harness: Harness, number: Any, chance: random.Random) -> str:
    number.storage = Storage("IN_COUNTRY_STORAGE_ENABLED", chance.choice(["IN", "BR"]))
    return "storage"


def _end_subscription(harness: Harness, number: Any, chance: random.Random) -> str:
    harness.sandbox.world.wabas[number.waba_id].subscriptions.clear()
    return "webhook route"


def _set_override(harness: Harness, number: Any, chance: random.Random) -> str:
    (app_id,) = harness.sandbox.world.apps
    number.webhooks[app_id] = "https://somebody.example/else"
    return "callbacks at Meta"


def _disable_template(harness: Harness, number: Any, chance: random.Random) -> str:
    harness.sandbox.world.wabas[number.waba_id].templates[0].status = "DISABLED"
    return "approved templates"


def _restrict(harness: Harness, number: Any, chance: random.Random) -> str:
    number.flagged = "RESTRICTED"
    return "platform"


def _lower_limit(harness: Harness, number: Any, chance: random.Random) -> str:
    harness.sandbox.world.businesses[harness.sandbox.world.wabas[number.waba_id].business_id].health_problem = 141010
    return "messaging limit"


Loss = Callable[[Harness, Any, random.Random], str]
LOSSES: list[Loss] = [
    _lose_text, _lose_picture, _lower_quality, _rename, _store_elsewhere, _end_subscription, _set_override,
    _disable_template, _restrict, _lower_limit,
]  # fmt: skip


async def test_lines_that_need_a_person_are_the_sandbox_s_own_differences(make_harness: MakeHarness) -> None:
    """Seeded numbers that lost something, one or several things, after the move."""
    harness = await make_harness(kinds=["verified"], world="open")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        world, number = harness.sandbox.world, harness.sandbox_number(position)
        (app_row,) = world.apps.values()
        app_row.callback_url = "https://partner.example/w"
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert persons(await read_parity(app, position)) == set()
        waba, business = world.wabas[number.waba_id], world.businesses[world.wabas[number.waba_id].business_id]
        whole = {name: deepcopy(getattr(number, name)) for name in ("profile", "quality", "name", "storage", "flagged")}
        for seed in range(40):
            chance = random.Random(seed)
            lost = {loss(harness, number, chance) for loss in chance.sample(LOSSES, chance.randrange(1, 5))}
            harness.clock.advance(3_600)  # what numbers share of Graph is read anew
            assert persons(await read_parity(app, position, keep=False)) == lost, seed
            for name, value in whole.items():
                setattr(number, name, deepcopy(value))
            number.webhooks.clear()
            waba.subscriptions = {app_row.id: Subscription(app_row.id)}
            waba.templates[0].status, business.health_problem = "APPROVED", None


async def test_a_profile_that_could_not_be_put_back_is_doubted(make_harness: MakeHarness) -> None:
    """A step that is passed over left its number green, with an empty profile."""
    harness = await make_harness(world="open", kinds=["verified"], switches={"profile_survives": "no"})
    async with harness.worker() as app:
        await harness.import_numbers(app)
        harness.sandbox.faults.add("profile", "error", None, code=200_001, times=0)
        await harness.run_number(app, "N-0001")
        position = await app.queries.positions.find("N-0001")
    assert (position.status, position.profile_lost) == (Status.DONE, "it could not be put back")
    assert is_doubted(position)

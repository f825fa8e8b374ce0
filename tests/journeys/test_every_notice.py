"""Every kind of message is seen at a real webhook listener and at a real mail server, masked, and told as over."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import update

from migration.app import App
from migration.home.admin_file import NotifySettings
from migration.notify.notify_targets import CauseKind
from migration.waves.notices import tell_people
from state.enums import Party, Side, Status, WaveState
from state.ledger.waves import NewWave
from state.models import MigrationTable, NumberTable, WaveTable
from state.proof import Weight
from state.rows import Position
from tests.harness.in_process import MakeHarness
from tests.harness.listener import listening
from tests.harness.mail_listener import taking_mail

# Words of the title by which a person knows the kind.
WORDS = {
    CauseKind.DARK: "dark, on neither side",
    CauseKind.HALTED: "is halted",
    CauseKind.HELD: "held at the gate",
    CauseKind.CODE: "has to read out the code",
    CauseKind.CODE_EXPIRING: "expire within",
    CauseKind.BLOCKED: "blocked",
    CauseKind.WINDOW_ENDING: "the window of wave",
    CauseKind.SIGNUP_ENDING: "Embedded Signup of",
    CauseKind.WORKER_GONE: "a worker has gone",
    CauseKind.UNPROVED: "failed after the move",
    CauseKind.ACCOUNT: "Meta reports of",
    CauseKind.FINISHED: "has ended",
}


async def _make_all_causes(app: App, board: list[Position]) -> None:
    """A number or a wave for each kind, as its row is then."""
    now = await app.queries.now()
    dark, waits, held, left, signup, *others = (position.migration_id for position in board)
    page = "runbooks/wrong-pin.md"
    rows: dict[int, dict[str, Any]] = {
        dark: {"status": Status.BLOCKED, "runbook": page, "reason": "x", "dark_by_us": True, "dark_since": now},
        waits: {
            "status": Status.WAITING,
            "next_step": "verify_code",
            "waiting_on": Party.CUSTOMER,
            "waiting_until": now + timedelta(minutes=2),
        },
        held: {"status": Status.HELD, "reason": "the wave is held"},
        left: {"status": Status.RUNNING, "lease_holder": "a worker", "lease_until": now - timedelta(minutes=1)},
        signup: {"signup_ends_at": now + timedelta(days=1)},
        others[0]: {
            "status": Status.DONE,
            "ended_at": now,
            "next_step": None,
            "side": Side.CLOUD,
            "smoke_error": 131026,
        },
    }
    waves = (
        ("halted", {"state": WaveState.HALTED, "because": "3 failed"}, others[1:2]),
        ("ended", {"state": WaveState.DONE}, others[:1]),
        ("ending", {"state": WaveState.RUNNING, "window_end": now + timedelta(minutes=20)}, others[2:3]),
    )
    for name, _, numbers in waves:
        await app.ledger.waves.create(NewWave(name), list(numbers), by="tester")
    async with app.database.begin() as tx:
        for migration_id, values in rows.items():
            await tx.execute(update(MigrationTable).where(MigrationTable.id == migration_id).values(**values))
        restricted = {"restriction": {"at": now.timestamp(), "word": "RESTRICTED", "weight": Weight.DOUBT}}
        await tx.execute(update(NumberTable).where(NumberTable.id == board[0].number_id).values(reported=restricted))
        for name, values, _ in waves:
            await tx.execute(update(WaveTable).where(WaveTable.name == name).values(**values))


async def test_every_kind_is_seen_by_webhook_and_by_mail(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 8)
    with listening() as webhook, taking_mail() as mail:
        async with harness.worker() as app:
            board = await harness.import_numbers(app)
            targets = tuple(NotifySettings(url=SecretStr(url)) for url in (webhook.url, mail.url))
            told = replace(app, admin=app.admin.model_copy(update={"notify": targets}))
            await _make_all_causes(app, board)
            mail.busy = True
            await tell_people(told)
            assert mail.mails == [], "the server takes nothing now"
            mail.busy = False
            harness.clock.advance(16)
            await tell_people(told)
        titles = [json.loads(body)["title"] for body in webhook.bodies]
        for taken in (titles, mail.titles):
            missed = [kind for kind in CauseKind if not any(WORDS[kind] in title for title in taken)]
            assert not missed
        assert sorted(titles) == sorted(mail.titles), "each once to each, though one of them was down"
        everything = mail.text + "".join(webhook.bodies)
        assert not [position.ref for position in board if position.e164.removeprefix("+") in everything]
        secrets = harness.sandbox.manifest("http://sandbox")
        assert not [name for name in ("token", "app_secret", "hook_secret") if secrets[name] in everything]

"""What the programs of a customer change when its number has moved, and which side they are still calling.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from migration.app import App
from migration.clients.client_record import address_without_secrets
from migration.engine.barrier import unexpected
from migration.errors import MigrationError, Transient
from migration.steps.number import Number
from state.rows import Position

NOTE = "callers"  # the name under which the last reading is kept
CALLED, QUIET, OFF, UNKNOWN = "called", "quiet", "does not answer", "not known"


@dataclass(frozen=True, slots=True)
class CallerChange:
    """One thing that callers change: what they have now, what it becomes, and what goes wrong where it stays."""

    what: str
    before: str
    after: str
    otherwise: str

    def as_json(self) -> dict[str, str]:
        return {"what": self.what, "before": self.before, "after": self.after, "otherwise": self.otherwise}


@dataclass(frozen=True, slots=True)
class CalledSides:
    """`on_premises`, `cloud`: one of the words above; the sentences say since when and how it is known."""

    on_premises: str
    on_premises_why: str
    cloud: str
    cloud_why: str

    def as_json(self) -> dict[str, Any]:
        return {
            "on_premises": {"state": self.on_premises, "why": self.on_premises_why},
            "cloud": {"state": self.cloud, "why": self.cloud_why},
        }


def caller_changes(position: Position, graph_base: str) -> tuple[CallerChange, ...]:
    """For one number, in the order in which a program is changed. `graph_base` with the version."""
    client = address_without_secrets(position.instance.base_url) if position.instance is not None else None
    old, new = client or "the client's address", f"{graph_base}/{position.phone_number_id}"
    return (
        CallerChange("URL", f"{old}/v1/messages", f"{new}/messages", "the old address stops answering"),
        CallerChange(
            "token",
            "the token of POST /v1/users/login, renewed every 7 days",
            "a system-user token with whatsapp_business_messaging, as Authorization: Bearer",
            "190: the call is refused",
        ),
        CallerChange(
            "payload",
            '{"to", "type", "text"}; "recipient_type" and "preview_url" beside them',
            'with "messaging_product": "whatsapp", and "to" with its +; "preview_url" inside "text"',
            "100 or 131008: the call is refused",
        ),
        CallerChange(
            "media ids",
            f"ids of POST {old}/v1/media",
            f"ids of POST {new}/media: upload anew, or send a link",
            "131009 or 131053: ids of the client do not exist on Cloud",
        ),
        CallerChange(
            "contacts call",
            f"POST {old}/v1/contacts before a message",
            "none: send to the phone number",
            "404: there is no such call",
        ),
        CallerChange(
            "template namespace",
            '"hsm" or "template" with "namespace", and "language" with "policy": "deterministic"',
            '"template" with "name" and "language" {"code"}; without a namespace',
            "132001 or 100: the template is not found",
        ),
        CallerChange(
            "webhook",
            "arrays `messages`, `statuses` at the top, without a signature",
            "`entry[].changes[].value`, signed: X-Hub-Signature-256 over the raw bytes",
            "messages of consumers arrive and are not understood",
        ),
        CallerChange(
            "mark as read",
            f"PUT {old}/v1/messages/ID",
            f'POST {new}/messages with "status": "read" and "message_id"',
            "404: there is no such call",
        ),
        CallerChange(
            "errors",
            "`errors[]` with codes of On-Premises",
            "`error` with codes of Graph; limits: 130429 and 131056 ask for a slower pace",
            "refusals are taken for success",
        ),
    )


async def read_called_sides(app: App, position: Position) -> CalledSides:
    """Which side the customer's programs call: by the client's own counters, and by what Meta's webhooks have said.

    The client is read once; two readings tell whether calls came in between. Changes nothing at either side.
    """
    try:
        on_premises, why = await _on_premises(app, await app.loader.load(position, await app.queries.now()))
    except Exception as exc:  # noqa: BLE001 -- the barrier: the others are read
        on_premises, why = UNKNOWN, unexpected(position.ref, "callers", exc)
    cloud, cloud_why = await _cloud(app, position)
    return CalledSides(on_premises, why, cloud, cloud_why)


async def _on_premises(app: App, number: Number) -> tuple[str, str]:
    if number.onprem is None:
        return OFF, "the number has no client that we know of"
    try:
        calls = await number.onprem.message_calls()
    except MigrationError as exc:
        if isinstance(exc, Transient) and not exc.answered:
            return OFF, f"whoever calls it gets no answer: {exc}"
        return UNKNOWN, f"the client answers, and not with its counters: {exc}"
    if calls is None:
        return UNKNOWN, "the client counts no calls by their kind (`api_requests_duration_ms_sum`)"
    before = number.note_of(NOTE)
    facts = {"calls": calls, "at": number.now.isoformat()}
    await app.ledger.findings.record_note(number.state.migration_id, NOTE, facts)
    return _between(before, calls, number.now)


def _between(before: Mapping[str, Any], calls: float, now: datetime) -> tuple[str, str]:
    if not before:
        return UNKNOWN, "it was read for the first time; read it again in some minutes"
    since = datetime.fromisoformat(before["at"])
    span = f"{since:%Y-%m-%d %H:%M:%S} and {now:%H:%M:%S} UTC"
    if calls < before["calls"]:
        return (
            (CALLED, f"since its restart before {now:%H:%M:%S} UTC")
            if calls
            else (QUIET, f"it restarted between {span}")
        )
    if calls > before["calls"]:
        return CALLED, f"messages, media or contacts were called between {span}"
    return QUIET, f"no message, media or contact call between {span}"


async def _cloud(app: App, position: Position) -> tuple[str, str]:
    """By the last status of a message that is not a smoke message of ours."""
    last = await app.queries.proofs.last_sent(position.number_id)
    if last is not None:
        return CALLED, f"a status of a message of theirs came at {last:%Y-%m-%d %H:%M:%S} UTC"
    if await app.queries.proofs.any_received(position.waba_id):
        return QUIET, "webhooks of its WABA come in, and none about a message of theirs"
    return UNKNOWN, "no webhook of its WABA has come in: docs/webhooks.md"

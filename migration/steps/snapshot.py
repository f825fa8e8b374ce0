"""Write down what is true before anything is touched: both sides, the profile with its picture, settings, standing.

Changes nothing. The profile is what a register without a backup loses:
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
`cutover parity` compares it with what is true afterwards.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import SecretStr

from migration.clients.client_record import ClientRecord
from migration.clients.graph_models import Profile
from migration.clients.shared_readings import BEFORE_CROSSING_AGE
from migration.errors import MigrationError
from migration.runtime.concurrency import both_of
from migration.steps.both_sides import (
    cloud_before_crossing,
    not_its_own_client,
    not_known_to_be_movable,
    not_movable,
    read_early,
    side_of,
)
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Promise

PICTURE = "picture"  # the name under which its bytes are sealed
KEPT = ("expires_at", "profile", "profile_not_carried", PICTURE, "before")


class Snapshot(ReadStep):
    contract: ClassVar[StepContract] = StepContract(
        name="snapshot", promise=Promise.READ, longest_call=timedelta(seconds=60), reads_side=True
    )

    async def check(self, number: Number) -> None | Blocked:
        return not_movable(await cloud_before_crossing(number, BEFORE_CROSSING_AGE))

    async def apply(self, number: Number, intent: Intent) -> Evidence | Blocked:
        both = await read_early(number)
        stop = not_its_own_client(both) or not_known_to_be_movable(both, number)
        if stop is not None:
            return stop
        facts: dict[str, Any] = (
            _only_known_from_the_client(number)
            | both.facts()
            | {
                "verified_name": both.cloud.verified_name,
                "code_verification_status": both.cloud.code_verification_status,
                "quality_rating": both.cloud.quality_rating,
            }
        )
        if both.onprem is not None and both.onprem.expires_at is not None:
            facts["expires_at"] = both.onprem.expires_at.isoformat()
        secrets: dict[str, SecretStr] = {}
        if both.serving and number.onprem is not None:
            read, graph = await both_of(both_of(number.onprem.profile(), number.onprem.record()), _graph(number))
            profile, record = read
            facts = _of_the_client(facts, profile, record) | {"before": _before(record, graph)}
            secrets = {PICTURE: record.picture.sealed_text()} if record.picture is not None else {}
        return Evidence(facts, side=side_of(both, number), secrets=secrets)


def _of_the_client(facts: Mapping[str, Any], profile: Profile, record: ClientRecord) -> dict[str, Any]:
    kept = {name: fact for name, fact in facts.items() if name not in ("profile_not_carried", PICTURE)}
    kept["profile"] = profile.as_facts()
    lost = dict(profile.not_carried)
    if PICTURE in record.unread:
        lost[PICTURE] = record.unread[PICTURE]
    if lost:
        kept["profile_not_carried"] = lost
    if record.picture is not None:
        kept[PICTURE] = record.picture.as_facts()
    return kept


def _before(record: ClientRecord, graph: Mapping[str, Any]) -> dict[str, Any]:
    """What the comparison afterwards needs beside the profile. `unread`: what could not be read, and why."""
    unread = {name: why for name, why in record.unread.items() if name != PICTURE} | graph["unread"]
    before = {"webhook": record.webhook, "settings": dict(record.settings), **graph, "unread": unread}
    return {name: value for name, value in before.items() if value not in (None, {})}


async def _graph(number: Number) -> dict[str, Any]:
    """Standing and templates. A refusal of either stops no move: it is a line of the comparison."""
    read: dict[str, Any] = {"unread": {}}
    try:
        details = await number.shared.details(number.state.phone_number_id)
        if details is None:
            read["unread"]["standing"] = "the list of its WABA does not show the number"
        else:
            read["graph"] = details.as_facts()
    except MigrationError as exc:
        read["unread"]["standing"] = str(exc)
    try:
        read["templates"] = await number.shared.approved_templates()
    except MigrationError as exc:
        read["unread"]["templates"] = str(exc)
    return read


def _only_known_from_the_client(number: Number) -> dict[str, Any]:
    """From an earlier snapshot: put on another itinerary while dark, a number would lose its profile otherwise."""
    return {name: fact for name, fact in number.result_of("snapshot").items() if name in KEPT}

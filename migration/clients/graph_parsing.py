"""From the bodies of Graph's responses to the models in `graph_models`."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from migration.clients.figures import text, whole
from migration.clients.graph_models import Health, SubscribedApp
from migration.clients.json_values import inside, objects
from migration.errors import Transient

M = TypeVar("M", bound=BaseModel)
SEVERITY = {"AVAILABLE": 0, "LIMITED": 1, "BLOCKED": 2}  # of `can_send_message`; an unknown value counts as BLOCKED
MOST_REASONS = 5


def parse(model: type[M], body: Any) -> M:
    """Raises Transient for a body of another shape: it counts as no response, and the call is repeated."""
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors()[0]["loc"]) or "it"
        raise Transient(f"Graph's {model.__name__} cannot be read: {where}", True) from None


def parse_rows(model: type[M], rows: Iterable[Any]) -> tuple[M, ...]:
    """The rows that can be read; one odd row does not make the others unreadable."""
    parsed = []
    for row in rows:
        try:
            parsed.append(model.model_validate(row))
        except ValidationError:
            continue
    return tuple(parsed)


def parse_subscribed_app(row: Any) -> SubscribedApp:
    # Nested on Meta's page, flat in its OpenAPI file. If our own app were missed here, a bare POST would follow, and
    # that removes an override.
    app_id = text(inside(row, "whatsapp_business_api_data", "id")) or text(inside(row, "id")) or ""
    override = inside(row, "override_callback_uri")
    return SubscribedApp(app_id=app_id, override_callback_uri=None if override is None else str(override)[:500])


def parse_health(health_status: Any) -> Health:
    """The worst state over all entities. The overall value counts only where no entity has one."""
    entities = objects(inside(health_status, "entities"))
    states = [entity["can_send_message"] for entity in entities if entity.get("can_send_message") is not None]
    messaging = max(
        (text(state) or "UNKNOWN" for state in states),
        key=lambda state: SEVERITY.get(state, SEVERITY["BLOCKED"]),
        default=text(inside(health_status, "can_send_message")) or "UNKNOWN",
    )
    reasons = [
        f"{text(entity.get('entity_type'))}: {text(error.get('error_description'))}"
        for entity in entities
        for error in objects(entity.get("errors"))
    ]
    number = next((one for one in entities if one.get("entity_type") == "PHONE_NUMBER"), {}).get("can_send_message")
    stopped = [
        one for one in entities if SEVERITY.get(text(one.get("can_send_message")) or "", 0) == SEVERITY["BLOCKED"]
    ]
    codes = (whole(error.get("error_code")) for one in stopped for error in objects(one.get("errors")))
    return Health(
        messaging=messaging,
        why="; ".join(reasons[:MOST_REASONS]) or "no reason given",
        number=text(number),
        codes=tuple(code for code in codes if code is not None),
    )

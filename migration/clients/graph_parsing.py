"""From the bodies of Graph's responses to the models in `graph_models`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from migration.clients.graph_models import Health, SubscribedApp
from migration.errors import Transient

M = TypeVar("M", bound=BaseModel)
SEVERITY = {"AVAILABLE": 0, "LIMITED": 1, "BLOCKED": 2}  # of `can_send_message`; an unknown value counts as BLOCKED


def parse(model: type[M], body: Any) -> M:
    """Raises Transient for a body of another shape: it counts as no response, and the call is repeated."""
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors()[0]["loc"]) or "it"
        raise Transient(f"Graph's {model.__name__} cannot be read: {where}", True) from None


def parse_subscribed_app(row: Mapping[str, Any]) -> SubscribedApp:
    # Nested on Meta's page, flat in its OpenAPI file. If our own app were missed here, a bare POST would follow, and
    # that removes an override.
    app = row.get("whatsapp_business_api_data") or row
    return SubscribedApp(app_id=str(app.get("id", "")), override_callback_uri=row.get("override_callback_uri"))


def parse_health(health_status: Mapping[str, Any]) -> Health:
    """The worst state over all entities. The overall value counts only where no entity has one."""
    entities = [entity for entity in health_status.get("entities", []) if entity.get("can_send_message") is not None]
    messaging = max(
        (str(entity["can_send_message"]) for entity in entities),
        key=lambda state: SEVERITY.get(state, SEVERITY["BLOCKED"]),
        default=str(health_status.get("can_send_message", "UNKNOWN")),
    )
    reasons = [
        f"{entity.get('entity_type')}: {error.get('error_description')}"
        for entity in entities
        for error in entity.get("errors", [])
    ]
    return Health(messaging=messaging, why="; ".join(reasons) or "no reason given")

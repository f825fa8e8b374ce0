"""What Graph shows of a number beside where it is: standing, limits, route. Read to compare before and after.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from migration.clients.client_record import address_without_secrets
from migration.clients.graph_models import GraphModel

WEBHOOK_LEVELS = ("phone_number", "whatsapp_business_account", "application")  # the first that is set counts


class NumberDetails(GraphModel):
    id: str
    verified_name: str | None = None
    name_status: str | None = None
    status: str | None = None
    platform_type: str | None = None
    account_mode: str | None = None
    quality_rating: str | None = None
    whatsapp_business_manager_messaging_limit: str | None = None
    is_official_business_account: bool | None = None
    is_pin_enabled: bool | None = None
    throughput: str | None = None
    webhook_configuration: Mapping[str, str] = {}

    @field_validator("throughput", mode="before")
    @classmethod
    def _level(cls, value: Any) -> Any:
        return value.get("level") if isinstance(value, dict) else value

    @field_validator("webhook_configuration", mode="before")
    @classmethod
    def _addresses(cls, value: Any) -> dict[str, str]:
        given = value if isinstance(value, Mapping) else {}
        found = {level: address_without_secrets(given.get(level)) for level in WEBHOOK_LEVELS}
        return {level: address for level, address in found.items() if address is not None}

    @property
    def messages_go_to(self) -> str | None:
        """The address that gets the number's messages."""
        return next(
            (self.webhook_configuration[one] for one in WEBHOOK_LEVELS if one in self.webhook_configuration), None
        )

    def as_facts(self) -> dict[str, Any]:
        return {
            name: value for name, value in self.model_dump(mode="json", exclude={"id"}).items() if value is not None
        }


# Meta's OpenAPI file requires `display_phone_number` of each row of a list.
DETAIL_FIELDS = ",".join((*NumberDetails.model_fields, "display_phone_number"))

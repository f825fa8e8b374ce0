"""Graph's answers as we read them. Unknown fields and values are kept out of the way, never an error."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

# Values that Cloud takes as `vertical`; On-Premises had free text.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-profiles
VERTICALS = frozenset(
    [
        "ALCOHOL",
        "APPAREL",
        "AUTO",
        "BEAUTY",
        "EDU",
        "ENTERTAIN",
        "EVENT_PLAN",
        "FINANCE",
        "GOVT",
        "GROCERY",
        "HEALTH",
        "HOTEL",
        "NONPROFIT",
        "ONLINE_GAMBLING",
        "OTC_DRUGS",
        "OTHER",
        "PHYSICAL_GAMBLING",
        "PROF_SERVICES",
        "RESTAURANT",
        "RETAIL",
        "TRAVEL",
    ]
)
PROFILE_FIELDS = ("about", "address", "description", "email", "vertical", "websites")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CloudNumber(_Answer):
    """`GET /{phone-number-id}`. Enumerations stay strings: Meta adds values.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
    """

    id: str
    display_phone_number: str = ""
    verified_name: str | None = None
    status: str = "UNKNOWN"
    platform_type: str = "UNKNOWN"
    code_verification_status: str | None = None
    quality_rating: str | None = None
    name_status: str | None = None
    new_name_status: str | None = None
    account_mode: str | None = None
    is_pin_enabled: bool | None = None
    is_on_biz_app: bool = False
    is_official_business_account: bool | None = None
    last_onboarded_time: datetime | None = None

    @field_validator("last_onboarded_time", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        # Seen as seconds since 1970 and as ISO text.
        if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
            return datetime.fromtimestamp(int(value), UTC)
        return value

    @field_validator("is_on_biz_app", mode="before")
    @classmethod
    def _bool(cls, value: Any) -> Any:
        return bool(value)

    @property
    def registered(self) -> bool:
        """Connected on Cloud. Both words: a move in progress shows one of them only."""
        return self.platform_type == "CLOUD_API" and self.status == "CONNECTED"


NUMBER_FIELDS = ",".join(CloudNumber.model_fields)


class Backup(BaseModel):
    """An On-Premises settings backup and the password it was made with; together they can move the number."""

    model_config = ConfigDict(frozen=True)

    data: SecretStr
    password: SecretStr


class SubscribedApp(_Answer):
    app_id: str
    override_callback_uri: str | None = None


class StorageSettings(_Answer):
    status: str = "DEFAULT"
    region: str | None = Field(None, validation_alias="data_localization_region")


class Profile(_Answer):
    """`GET /{phone-number-id}/whatsapp_business_profile`."""

    about: str | None = None
    address: str | None = None
    description: str | None = None
    email: str | None = None
    vertical: str | None = None
    websites: tuple[str, ...] = ()

    def as_facts(self) -> dict[str, Any]:
        return {name: value for name, value in self.model_dump(mode="json").items() if value}


class Health(_Answer):
    """What the phone number's own entity says about messaging; the overall value can be blocked for calls alone.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
    """

    messaging: str
    why: str


class Waba(_Answer):
    id: str
    name: str | None = None
    account_review_status: str | None = None
    business_verification_status: str | None = None


class TokenFacts(_Answer):
    """`GET /debug_token`."""

    app_id: str | None = None
    is_valid: bool = False
    expires_at: int = 0  # seconds since 1970; 0 never ends
    scopes: tuple[str, ...] = ()

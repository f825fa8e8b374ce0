"""The bodies of Graph's responses, as far as we read them. Unknown fields are ignored; enumerations stay strings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from migration.clients.cloud_standing import ClientConnection, CloudStanding, client_connection, cloud_standing
from migration.clients.figures import count, flag, moment, text, whole
from migration.clients.json_values import objects

CAN_SEND = frozenset({"AVAILABLE", "LIMITED"})
# In health: the account is locked, or restricted for violating a policy of Meta's.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
LOCKED = frozenset({131031, 368})
WORDS = ("status", "platform_type", "code_verification_status", "quality_rating", "name_status", "new_name_status")
PROFILE_FIELDS = ("about", "address", "description", "email", "vertical", "websites", "profile_picture_url")


def _word(value: Any) -> Any:
    """Graph's words are in capitals; one that is not means the same."""
    return value.strip().upper() if isinstance(value, str) else value


def _health_entity(row: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: _word(row[name]) for name in ("entity_type", "can_send_message") if isinstance(row.get(name), str)}
    codes = (whole(error.get("error_code")) for error in objects(row.get("errors")))
    return words | {"error_codes": tuple(code for code in codes if code is not None)}


class GraphModel(BaseModel):
    """A body of Graph: what is unknown in it is ignored, and what cannot be read counts as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _unreadable_is_absent(cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """A field that is null or of another type counts as one that is not there; only what is required fails."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, int) and not isinstance(value, bool) and field.annotation in (str, str | None):
            value = text(value)
        if field.is_required():
            return validate(value)
        default = field.get_default(call_default_factory=True, validated_data={})
        try:
            return default if value is None else validate(value)
        except ValidationError:
            return default


class HealthEntity(GraphModel):
    entity_type: str = ""
    can_send_message: str = ""
    error_codes: tuple[int, ...] = ()


class NumberHealth(GraphModel):
    """The part of `health_status` that says whether a number can send; `parse_health` reads the whole of it."""

    entities: tuple[HealthEntity, ...] = ()


class CloudNumber(GraphModel):
    """`GET /{phone-number-id}`. Enumerations stay strings, because Meta adds values.

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
    is_on_biz_app: bool | Literal["unreadable"] | None = None  # None: not shown
    is_pin_enabled: bool | None = None  # None: not shown, or not readable
    health_status: NumberHealth = NumberHealth()
    last_onboarded_time: datetime | Literal["unreadable"] | None = None

    @field_validator("last_onboarded_time", mode="plain")
    @classmethod
    def _time(cls, value: Any) -> datetime | Literal["unreadable"] | None:
        # Graph sends seconds since 1970 in some responses and ISO text in others.
        return None if value in (None, "") else moment(value) or "unreadable"

    @field_validator("health_status", mode="before")
    @classmethod
    def _health(cls, value: Any) -> Any:
        """Only what can be read: an odd row of health must not make the whole number unreadable."""
        rows = value.get("entities") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            return value if isinstance(value, NumberHealth) else NumberHealth()
        return {"entities": [_health_entity(row) for row in objects(rows)]}

    @field_validator(*WORDS, mode="before")
    @classmethod
    def _capitals(cls, value: Any) -> Any:
        return _word(value)

    @field_validator("is_on_biz_app", mode="plain")
    @classmethod
    def _flag(cls, value: Any) -> bool | Literal["unreadable"] | None:
        if value is None:
            return None
        read = flag(value)
        return "unreadable" if read is None else read

    @field_validator("is_pin_enabled", mode="plain")
    @classmethod
    def _pin_flag(cls, value: Any) -> bool | None:
        return None if value is None else flag(value)

    @property
    def sends(self) -> bool:
        """By its health the number itself can send through Cloud API; False where that was not read."""
        entities = self.health_status.entities
        return any(e.entity_type == "PHONE_NUMBER" and e.can_send_message in CAN_SEND for e in entities)

    @property
    def locked_by(self) -> str | None:
        """What of it health shows blocked because it is locked: `WABA`, `BUSINESS` or itself; None for nothing."""
        locked = (
            e for e in self.health_status.entities if e.can_send_message == "BLOCKED" and LOCKED & {*e.error_codes}
        )
        return next((entity.entity_type or "UNKNOWN" for entity in locked), None)

    @property
    def standing(self) -> CloudStanding:
        """Where Graph shows it, by all of its fields together."""
        return cloud_standing(self.platform_type, self.status, self.sends, self.code_verification_status)

    @property
    def registered(self) -> bool:
        """Registered on Cloud and online, for certain."""
        return self.standing is CloudStanding.ON_CLOUD

    @property
    def client(self) -> ClientConnection:
        """What Graph shows of the On-Premises client."""
        return client_connection(self.platform_type, self.status)


NUMBER_FIELDS = ",".join(CloudNumber.model_fields)


class Backup(BaseModel):
    """An On-Premises settings backup and the password it was made with; together they can move the number."""

    model_config = ConfigDict(frozen=True)

    data: SecretStr
    password: SecretStr


class SubscribedApp(GraphModel):
    app_id: str
    override_callback_uri: str | None = None


class StorageSettings(GraphModel):
    status: str = "DEFAULT"
    region: str | None = Field(None, validation_alias="data_localization_region")


class Profile(GraphModel):
    """`GET /{phone-number-id}/whatsapp_business_profile`."""

    about: str | None = None
    address: str | None = None
    description: str | None = None
    email: str | None = None
    vertical: str | None = None
    websites: tuple[str, ...] = ()
    profile_picture_url: str | None = Field(default=None, exclude=True)  # another one at each reading
    not_carried: Mapping[str, str] = Field(
        default_factory=dict, exclude=True
    )  # field of On-Premises -> why Cloud API does not take it

    def as_facts(self) -> dict[str, Any]:
        return {name: value for name, value in self.model_dump(mode="json").items() if value}


class Health(GraphModel):
    """The worst state of messaging over all entities; the overall value can be blocked for calls alone.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
    """

    messaging: str
    why: str
    number: str | None = None  # the state of the phone number alone; None: not shown
    codes: tuple[int, ...] = ()  # errors of what is BLOCKED
    limit: str | None = None  # the messaging limit, where it was shown


class TokenFacts(GraphModel):
    """`GET /debug_token`."""

    app_id: str | None = None
    is_valid: bool | None = None  # None: Graph did not say
    expires_at: int | None = 0  # seconds since 1970; 0: never; None: it is there and cannot be read
    scopes: tuple[str, ...] | None = ()  # None: they are there and cannot be read

    @field_validator("expires_at", mode="plain")
    @classmethod
    def _seconds(cls, value: Any) -> int | None:
        seconds = 0 if value is None else count(value)
        return seconds if seconds == 0 or moment(seconds) is not None else None

    @field_validator("scopes", mode="plain")
    @classmethod
    def _scopes(cls, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not all(isinstance(scope, str) for scope in value):
            return None
        return tuple(value)

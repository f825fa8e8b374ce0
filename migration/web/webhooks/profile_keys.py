"""The app secret and the verify token of a credential profile. No token that can call Meta is opened here."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from migration.app import App
from migration.errors import BadSetting
from migration.runtime.log import get_logger

READ_AGAIN_S = 30.0  # so that a secret that was replaced is known soon

_LOG = get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class KeysOfProfile:
    app_id: str
    app_secret: SecretStr
    verify_token: SecretStr


@dataclass(slots=True)
class ProfileKeys:
    app: App
    _read: dict[str, tuple[float, KeysOfProfile | None]] = field(default_factory=dict)

    async def of(self, profile: str) -> KeysOfProfile | None:
        """None where the admin file names no such profile, or not both of its keys, or they cannot be read."""
        if profile not in self.app.admin.profiles:
            return None
        now = self.app.clock.boot_time()
        at, keys = self._read.get(profile, (float("-inf"), None))
        if now - at >= READ_AGAIN_S:
            keys = await self._keys(profile)
            self._read[profile] = now, keys
        return keys

    async def _keys(self, profile: str) -> KeysOfProfile | None:
        settings = self.app.admin.profiles[profile]
        if settings.app_secret is None or settings.verify_token is None:
            return None
        try:
            app_secret, verify_token = await self._key(profile, "app_secret"), await self._key(profile, "verify_token")
        except BadSetting as exc:
            _LOG.warning("webhooks of profile %s cannot be taken: %s", profile, exc)
            return None
        return KeysOfProfile(settings.app_id, app_secret, verify_token)

    async def _key(self, profile: str, name: str) -> SecretStr:
        """As it is kept, or as the admin file has it where no number of the profile was imported yet."""
        ids = {row["name"]: row["id"] for row in await self.app.queries.fleet.profiles()}
        kept = await self.app.secret_store.open(f"profile:{ids[profile]}", name) if profile in ids else None
        if kept is not None:
            return kept
        source = getattr(self.app.admin.profiles[profile], name)
        read: SecretStr = source.read(f"profile {profile}, {name}", self.app.settings.admin_path.parent)
        return read

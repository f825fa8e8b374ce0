"""Makes the On-Premises clients of a fleet in their first state."""

import random
from datetime import UTC, datetime, timedelta

from sandbox.onprem.router import DEFAULT_PASSWORD
from sandbox.scenarios.kinds import NumberSpec
from sandbox.world.instance import Callbacks, Instance, User
from sandbox.world.world import World

# The last On-Premises client version expired on this day.
# https://docs.360dialog.com/docs/waba-basics/waba-integration/onprem-to-cloudapi-migration
SUNSET = datetime(2025, 10, 23, tzinfo=UTC)
# Time until the build of a client expires that has not expired yet.
NOT_EXPIRED_FOR = timedelta(days=180)


def make_client(world: World, spec: NumberSpec, e164: str, chance: random.Random) -> Instance:
    now = world.now()
    password = f"Adm1n!{chance.getrandbits(48):012x}"
    shipped = DEFAULT_PASSWORD if spec.first_login else password
    client = Instance(
        id=f"i-{chance.getrandbits(40):010x}",
        e164=e164,
        users={"admin": User(shipped, admin=True, must_change=spec.first_login)},
        expires_at=_expiry(world, spec),
        callbacks=Callbacks(now, stuck=spec.callbacks == "stuck"),
        coreapp_up=spec.client != "coreapp_down",
        backup_works=spec.backup == "works",
        stop_works=spec.stop_command == "works",
        firewalled=spec.firewall,
        topology=spec.topology,
        shards=spec.shards,
        version=spec.client_version,
        registered_at=now - timedelta(days=spec.registered_days_ago),
        upgrading=spec.client == "uninitialized",
    )
    client.api_key = _secret(world, client.id, "Apikey")
    if spec.client in ("gone", "stopped"):
        client.host = "gone" if spec.client == "gone" else "stopped"
    if spec.callbacks == "overloaded":
        client.callbacks.size, client.callbacks.stuck = float(world.switches.overload_at), True
    elif spec.callbacks != "empty":
        client.callbacks.size = float(chance.randrange(5, 20))
    return client


def make_spare_client(world: World, client: Instance) -> Instance:
    """A second client for the same number. It is clean: it runs, and holds no registration."""
    name = f"{client.id}-spare"
    return Instance(
        id=name,
        e164=client.e164,
        users={"admin": User(f"Adm1n!{_secret(world, name, 'password')[:12]}", admin=True)},
        expires_at=client.expires_at,
        callbacks=Callbacks(world.now()),
        registered=False,
        topology=client.topology,
        shards=client.shards,
        version=client.version,
        api_key=_secret(world, name, "Apikey"),
    )


def _secret(world: World, instance: str, name: str) -> str:
    """A secret of a client. Its randomness is its own, so that the rest of the fleet stays the same without it."""
    return f"{random.Random(f'{world.seed}:{name}:{instance}').getrandbits(160):040x}"


def _expiry(world: World, spec: NumberSpec) -> datetime:
    """After the sunset every build has expired; before it, only if the kind says so."""
    now = world.now()
    if spec.client == "expired" or world.kind == "after-sunset":
        return SUNSET if now > SUNSET else now - timedelta(days=1)
    return now + NOT_EXPIRED_FOR

"""The On-Premises clients of a fleet, as they are found."""

import random
from datetime import UTC, datetime, timedelta

from sandbox.onprem.router import DEFAULT_PASSWORD
from sandbox.scenarios.kinds import NumberSpec
from sandbox.world.instance import Callbacks, Instance, User
from sandbox.world.world import World

# The last On-Premises client version expired on this day.
# https://docs.360dialog.com/docs/waba-basics/waba-integration/onprem-to-cloudapi-migration
SUNSET = datetime(2025, 10, 23, tzinfo=UTC)
# How long a living client's build still has.
STILL_GOOD = timedelta(days=180)


def made_client(world: World, spec: NumberSpec, e164: str, luck: random.Random) -> Instance:
    now = world.now()
    password = f"Adm1n!{luck.getrandbits(48):012x}"
    shipped = DEFAULT_PASSWORD if spec.first_login else password
    client = Instance(
        id=f"i-{luck.getrandbits(40):010x}",
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
    client.api_key = _of(world, client.id, "Apikey")
    if spec.client in ("gone", "stopped"):
        client.host = "gone" if spec.client == "gone" else "stopped"
    if spec.callbacks == "overloaded":
        client.callbacks.size, client.callbacks.stuck = float(world.switches.overload_at), True
    elif spec.callbacks != "empty":
        client.callbacks.size = float(luck.randrange(5, 20))
    return client


def spare_of(world: World, client: Instance) -> Instance:
    """Clean: it runs, and holds no registration."""
    name = f"{client.id}-spare"
    return Instance(
        id=name,
        e164=client.e164,
        users={"admin": User(f"Adm1n!{_of(world, name, 'password')[:12]}", admin=True)},
        expires_at=client.expires_at,
        callbacks=Callbacks(world.now()),
        registered=False,
        topology=client.topology,
        shards=client.shards,
        version=client.version,
        api_key=_of(world, name, "Apikey"),
    )


def _of(world: World, instance: str, what: str) -> str:
    """A secret of a client, drawn for itself: it changes nothing else of the fleet."""
    return f"{random.Random(f'{world.seed}:{what}:{instance}').getrandbits(160):040x}"


def _expiry(world: World, spec: NumberSpec) -> datetime:
    """After the sunset every build has expired; before it, only where the kind says so."""
    now = world.now()
    if spec.client == "expired" or world.kind == "after-sunset":
        return SUNSET if now > SUNSET else now - timedelta(days=1)
    return now + STILL_GOOD

"""The manifest: what a partner has on file of its fleet. Credentials, accounts, numbers, addresses of clients."""

from dataclasses import fields
from typing import Any

from sandbox.switches import Switches
from sandbox.world.credentials import tokens_of
from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber
from sandbox.world.world import World


def manifest(world: World, token: str, base: str) -> dict[str, Any]:
    """The manifest, with addresses under `base`. An unknown PIN is null."""
    base = base.rstrip("/")
    return {
        "graph_url": base,
        **_profile(world, token),
        "sandbox_url": base,
        "world": world.kind,
        "switches": _changed_switches(world.switches),
        "hook_url": f"{base}/_sandbox/senders/hook",
        "hook_secret": world.hook.secret,
        "wabas": [{"waba_id": waba_id} for waba_id in world.wabas],
        "businesses": [_business(world, business_id) for business_id in world.businesses],
        "numbers": [_row(world, number, base) for number in world.numbers.values()],
    }


def _changed_switches(switches: Switches) -> dict[str, Any]:
    """Switches that differ from their default."""
    values = {field.name: (getattr(switches, field.name), field.default) for field in fields(Switches)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _profile(world: World, token: str) -> dict[str, Any]:
    app = world.apps[world.tokens[token].app_id]
    return {"token": token, "app_id": app.id, "app_secret": app.secret, "verify_token": app.verify_token}


def _business(world: World, business_id: str) -> dict[str, Any]:
    """The credentials of one business: of its first app, and under `apps` of each app."""
    business = world.businesses[business_id]
    wabas = [{"waba_id": waba.id} for waba in world.wabas.values() if waba.business_id == business.id]
    apps = [_profile(world, token.value) for token in tokens_of(world, business_id)]
    return {"business_id": business.id, "name": business.name, **apps[0], "wabas": wabas, "apps": apps}


def _row(world: World, number: SimNumber, base: str) -> dict[str, Any]:
    spare = world.instances.get(number.spare_id or "")
    return {
        "e164": number.e164,
        "phone_number_id": number.phone_number_id,
        "waba_id": number.waba_id,
        **_client(world, world.instances.get(number.instance_id or ""), base),
        "pin": number.pin_on_file,
        "name": number.name,
        "kind": number.kind,
        **({"spare": _client(world, spare, base)} if spare is not None else {}),
    }


def _client(world: World, client: Instance | None, base: str) -> dict[str, Any]:
    """`api_key` works for health, metrics and stats only."""
    if client is None:
        return dict.fromkeys(("onprem_url", "username", "password", "api_key", "instance"))
    return {
        "onprem_url": f"{world.client_urls.get(client.id, base)}/onprem/{client.id}",
        "username": "admin",
        "password": client.users["admin"].password,
        "api_key": client.api_key,
        "instance": client.id,
    }

"""What is uploaded to an On-Premises client for its own use: certificates, and where it fetches media with a password.

https://developers.facebook.com/docs/whatsapp/tips-and-tricks/reset-ca-certificates (`/v1/certificates/...`)
https://github.com/konfig-sdks/whats-app-business-python-sdk (from an OpenAPI file of On-Premises: media providers)
The certificates are kept and given back; its TLS goes on with the one that it was shipped with.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem.call import Visit

PEM = b"-----BEGIN CERTIFICATE-----"


def set_certificate(visit: Visit) -> tuple[int, Any]:
    """Under the first of its names: `external` or `webhooks`."""
    if not visit.request.body:
        raise OnPremRefusal(1008, "The certificate is missing")
    if PEM not in visit.request.body:
        raise OnPremRefusal(1009, "The certificate is not in PEM format")
    visit.instance.certificates[visit.path[1]] = visit.request.body
    return 200, None


def certificate(visit: Visit) -> tuple[int, Any]:
    if visit.path[1] not in visit.instance.certificates:
        raise OnPremRefusal(1006, "No certificate")
    return 200, visit.instance.certificates[visit.path[1]]


def delete_certificate(visit: Visit) -> tuple[int, Any]:
    if visit.instance.certificates.pop(visit.path[1], None) is None:
        raise OnPremRefusal(1006, "No certificate")
    return 200, None


# -- media providers


def providers(visit: Visit) -> tuple[int, Any]:
    return 200, {"settings": {"application": {"media": {"providers": list(visit.instance.providers.values())}}}}


def set_providers(visit: Visit) -> tuple[int, Any]:
    told = visit.request.json()
    if not isinstance(told, list) or not told:
        raise OnPremRefusal(1009, "The body is not a list of providers")
    for one in told:
        if not _is_provider(one):
            raise OnPremRefusal(1009, "A provider has a name, type www and a config with bearer or basic")
    visit.instance.providers |= {one["name"]: one for one in told}
    return 200, None


def _is_provider(one: Any) -> bool:
    if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or not one["name"]:
        return False
    config = one.get("config")
    return one.get("type") == "www" and isinstance(config, Mapping) and bool({"bearer", "basic"} & set(config))


def delete_provider(visit: Visit) -> tuple[int, Any]:
    if visit.instance.providers.pop(visit.path[-1], None) is None:
        raise OnPremRefusal(1006, "unknown provider")
    return 200, None

"""Files and media providers of an On-Premises client: certificates, and servers from which it fetches media.

https://developers.facebook.com/docs/whatsapp/tips-and-tricks/reset-ca-certificates (`/v1/certificates/...`)
https://github.com/konfig-sdks/whats-app-business-python-sdk (from an OpenAPI file of On-Premises: media providers)
Certificates are stored and returned. The TLS of the sandbox goes on with the certificate that it began with.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem.call import OnPremCall

PEM = b"-----BEGIN CERTIFICATE-----"


def set_certificate(call: OnPremCall) -> tuple[int, Any]:
    """Stores it under `external` or `webhooks`, the first part of its path."""
    if not call.request.body:
        raise OnPremRefusal(1008, "The certificate is missing")
    if PEM not in call.request.body:
        raise OnPremRefusal(1009, "The certificate is not in PEM format")
    call.instance.certificates[call.path[1]] = call.request.body
    return 200, None


def certificate(call: OnPremCall) -> tuple[int, Any]:
    if call.path[1] not in call.instance.certificates:
        raise OnPremRefusal(1006, "No certificate")
    return 200, call.instance.certificates[call.path[1]]


def delete_certificate(call: OnPremCall) -> tuple[int, Any]:
    if call.instance.certificates.pop(call.path[1], None) is None:
        raise OnPremRefusal(1006, "No certificate")
    return 200, None


# -- media providers


def show_providers(call: OnPremCall) -> tuple[int, Any]:
    return 200, {"settings": {"application": {"media": {"providers": list(call.instance.providers.values())}}}}


def set_providers(call: OnPremCall) -> tuple[int, Any]:
    providers = call.request.json()
    if not isinstance(providers, list) or not providers:
        raise OnPremRefusal(1009, "The body is not a list of providers")
    for provider in providers:
        if not _is_provider(provider):
            raise OnPremRefusal(1009, "A provider has a name, type www and a config with bearer or basic")
    call.instance.providers |= {provider["name"]: provider for provider in providers}
    return 200, None


def _is_provider(provider: Any) -> bool:
    if not isinstance(provider, Mapping) or not isinstance(provider.get("name"), str) or not provider["name"]:
        return False
    config = provider.get("config")
    return provider.get("type") == "www" and isinstance(config, Mapping) and bool({"bearer", "basic"} & set(config))


def delete_provider(call: OnPremCall) -> tuple[int, Any]:
    if call.instance.providers.pop(call.path[-1], None) is None:
        raise OnPremRefusal(1006, "unknown provider")
    return 200, None

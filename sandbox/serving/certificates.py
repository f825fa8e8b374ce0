"""A self-signed certificate, as an On-Premises client ships with. Callers have to be configured to accept it.

https://developers.facebook.com/docs/whatsapp/api/users/login (Meta's own samples call with `curl -k`)
"""

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

GOOD_FOR = timedelta(days=365)


def context(host: str) -> ssl.SSLContext:
    """A TLS context for servers. The key is new and is stored nowhere."""
    # Loaded only with --tls-onprem: a server starts faster without them.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WhatsApp Business API client")])
    now = datetime.now(UTC)
    try:
        subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + GOOD_FOR)
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # ssl reads files only
        chain = Path(folder, "chain.pem")
        chain.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        tls.load_cert_chain(chain)
    return tls

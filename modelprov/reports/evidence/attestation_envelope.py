"""DSSE envelopes (dead simple signing envelope, 1.0): signs a statement with a key file, and verifies one offline.

The one place that uses `cryptography`. Signing is with ed25519; verifying also takes ECDSA keys on the curve P-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAKE_KEY = (
    "Make a pair with: openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out pub.pem"
)


def pre_authentication(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes that are signed: PAE of the DSSE protocol, which binds the payload's type and length."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, key: Ed25519PrivateKey) -> str:
    """The envelope as JSON, ending in a line feed. `keyid` is the SHA-256 of the public key (SubjectPublicKeyInfo)."""
    signature = key.sign(pre_authentication(payload))
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, indent=2) + "\n"


def is_envelope(data: Any) -> bool:
    """Whether parsed JSON looks like an envelope."""
    return isinstance(data, dict) and "payload" in data and "signatures" in data


def open_envelope(data: Any) -> tuple[bytes, list[bytes]]:
    """The payload and the signatures of an envelope; believes neither.

    Raises `UsageError` where it breaks the form.
    """
    try:
        if data["payloadType"] != PAYLOAD_TYPE:
            raise UsageError(
                f"The envelope holds {quoted(data['payloadType'])}, not an in-toto statement", "Wrong file?"
            )
        signatures = [_decode(one["sig"]) for one in data["signatures"]]
        return _decode(data["payload"]), signatures
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise UsageError(
            f"The envelope is damaged ({error!r})", "Give a statement that `modelprov attest` signed."
        ) from error


def _decode(text: str) -> bytes:
    """Base64, plain or for addresses: a verifier takes both."""
    return base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)


def verified(payload: bytes, signatures: list[bytes], key: Ed25519PublicKey | EllipticCurvePublicKey) -> bool:
    """Whether one of the signatures over the payload is the key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.hashes import SHA256

    message = pre_authentication(payload)
    for signature in signatures:
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            continue
        return True
    return False


def private_key(pem: bytes, ask: Callable[[], str]) -> Ed25519PrivateKey:
    """The ed25519 key of a PEM file; `ask` is called for the passphrase where there is one."""
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        try:
            key = load_pem_private_key(pem, None)
        except TypeError:  # it has a passphrase
            key = load_pem_private_key(pem, ask().encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"the key cannot be read: {error}", MAKE_KEY) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            "the key is not an ed25519 key", f"{MAKE_KEY}. For other keys, sign the statement with cosign."
        )
    return key


def public_key(pem: bytes) -> Ed25519PublicKey | EllipticCurvePublicKey:
    """The public key of a PEM file: ed25519, or ECDSA on P-256 as cosign makes them."""
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in pem:
        raise UsageError("this is a private key", "Give the public one; never hand out the private one.")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"the public key cannot be read: {error}", MAKE_KEY) from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise UsageError("the public key is neither ed25519 nor ECDSA on P-256", MAKE_KEY)


def key_id(key: Ed25519PublicKey | EllipticCurvePublicKey) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo in DER, hexadecimal."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def require_cryptography() -> None:
    """Raise `UsageError` with the command to run where the extra is not installed."""
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise UsageError(
            "signing and verifying need the package cryptography, not installed here",
            "Install it with: pip install 'modelprov[attest]' (from a clone: pip install -e '.[attest]'). "
            f"Without {called('key')}, `attest` needs nothing.",
        )

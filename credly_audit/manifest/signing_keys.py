"""The keys that sign manifests, and those that verify them: checked before anything is collected."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credly_audit.errors import UsageError
from credly_audit.process.extras import must_have
from credly_audit.secrets import Secret
from credly_audit.text import one_line

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

KEYS_THAT_SIGN = "Ed25519, ECDSA (P-256, P-384, P-521) or RSA"

PRIVATE = b"PRIVATE KEY-----"


def load_signer(key: str, public_key: Path | None, passphrase: Secret | None) -> "Signer":
    """Return the signer for the path of a private key in PEM, or for a signer URI of securesystemslib.

    A URI needs the public key. UsageError, in one line, for a key that cannot be used.
    """
    must_have("sign", "--sign")
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Signer  # noqa: PLC0415 - an extra

    if "-----BEGIN" in key:
        raise UsageError("--sign: the value is a key; name the path of its file instead, so that no one can read it")
    known = None if public_key is None else load_public_key(public_key, "--sign-public-key")
    if key.partition(":")[0] not in SIGNER_FOR_URI_SCHEME:
        return _load_local_signer(Path(key), known, passphrase)
    if known is None:
        raise UsageError(f"--sign {key}: the public key of a signer URI is needed; name it with --sign-public-key")

    def reveal(name: str) -> str:
        if passphrase is None:
            raise ValueError(f"the {name} is needed; name a reference to it with --sign-passphrase")
        return passphrase.reveal()

    try:
        return Signer.from_priv_key_uri(key, known, reveal)
    except Exception as error:  # noqa: BLE001 - whatever a signer raises
        raise UsageError(f"--sign {key}: cannot be used ({one_line(str(error))})") from None


def load_public_keys(paths: Iterable[Path]) -> "list[SSlibKey]":
    """Return the public keys of `--key`; UsageError for one that cannot be used."""
    must_have("sign", "--key")
    return [load_public_key(path, "--key") for path in paths]


def load_public_key(path: Path, option: str) -> "SSlibKey":
    """Return the public key in a PEM file; UsageError, naming the option, where it cannot be used."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - an extra

    pem = _read(path, option)
    if PRIVATE in pem:
        raise UsageError(
            f"{option} {path}: is a private key; name the public one (openssl pkey -in {path.name} -pubout)"
        )
    try:
        return _identify(load_pem_public_key(pem), f"{option} {path}")
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{option} {path}: is not a public key in PEM, or damaged") from None


def _load_local_signer(path: Path, known: "SSlibKey | None", passphrase: Secret | None) -> "Signer":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - an extra
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415 - an extra

    pem = _read(path, "--sign")
    if PRIVATE not in pem:
        raise UsageError(f"--sign {path}: is not a private key in PEM; name one, or a signer URI")
    try:
        private = load_pem_private_key(pem, None if passphrase is None else passphrase.reveal().encode())
    except TypeError:
        needed = "needs a passphrase; name a reference to it with" if passphrase is None else "is not encrypted; omit"
        raise UsageError(f"--sign {path}: {needed} --sign-passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "" if passphrase is None else ", or the passphrase is wrong"
        raise UsageError(f"--sign {path}: is damaged or of an unknown kind{wrong}") from None
    public = _identify(private.public_key(), f"--sign {path}")
    if known not in {None, public}:
        raise UsageError(f"--sign {path}: is not the private key of --sign-public-key; name its own, or none")
    return CryptoSigner(private, public)


def _identify(public: Any, called: str) -> "SSlibKey":
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415 - an extra

    try:
        return SSlibKey.from_crypto(public)
    except ValueError:
        raise UsageError(f"{called}: a key of this kind cannot sign; use {KEYS_THAT_SIGN}") from None


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {path}: cannot be read ({error.strerror})") from None

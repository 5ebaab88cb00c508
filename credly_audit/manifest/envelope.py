"""The signed form of a manifest: a DSSE envelope around a statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from credly_audit.errors import CannotWrite, UsageError, without_values
from credly_audit.manifest.contents import Manifest, decode_manifest, encode_document, write_document
from credly_audit.manifest.statement import PAYLOAD_TYPE, Statement, UnknownPayload, decode_statement
from credly_audit.secrets.shape import mask_shapes
from credly_audit.text import one_line

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import Key, Signer


class EnvelopeSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature, and the id of the key that it is of."""

    keyid: str
    sig: bytes


class SignedPayload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DSSE envelope with its fields in this order; bytes are base64 in the file."""

    payload: bytes
    payloadType: str  # noqa: N815 - DSSE's name
    signatures: list[EnvelopeSignature]

    def for_library(self) -> "Envelope":
        """Return the envelope as securesystemslib signs and verifies it."""
        from securesystemslib.dsse import Envelope  # noqa: PLC0415 - an extra
        from securesystemslib.signer import Signature  # noqa: PLC0415 - an extra

        signatures = {each.keyid: Signature(each.keyid, each.sig.hex()) for each in self.signatures}
        return Envelope(self.payload, self.payloadType, signatures)


@dataclass(frozen=True)
class ManifestFile:
    """A manifest as it is in its file; `envelope` is None for one that is not signed."""

    path: Path
    content: bytes
    envelope: SignedPayload | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; UsageError, in one line, where it is missing, damaged or of another kind."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
        try:
            fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
            envelope = msgspec.json.decode(content, type=SignedPayload) if "payloadType" in fields else None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: not a manifest of credly-audit, or damaged ({error})") from None
        return cls(path, content, envelope)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hex digits."""
        return sha256(self.content).hexdigest()

    @cached_property
    def statement(self) -> Statement | None:
        """The statement in the envelope, its signature unchecked; None where there is no envelope. UnknownPayload."""
        envelope = self.envelope
        return None if envelope is None else decode_statement(envelope.payload, envelope.payloadType, self.path)

    @property
    def manifest(self) -> Manifest:
        """The contents; UsageError where they cannot be read."""
        statement = self.statement
        return decode_manifest(self.content, self.path) if statement is None else statement.manifest

    def find_fault(self, keys: Sequence["Key"]) -> str | None:
        """Return why this is no manifest that the owner of one of these keys signed; None where it is one."""
        envelope = self.envelope
        if envelope is None or not envelope.signatures:
            return "is not signed"
        try:
            name = self.statement and self.statement.predicate.name
        except UnknownPayload as error:
            return str(error).removeprefix(f"{self.path}: ")
        return self._find_signature_fault(envelope, keys) or (
            None if name == self.name else f"was renamed: it was written as {name}"
        )

    def _find_signature_fault(self, envelope: SignedPayload, keys: Sequence["Key"]) -> str | None:
        if self.content != encode_document(envelope) or len(envelope.signatures) > 1:
            return "was altered: it is not as credly-audit wrote it"
        [signature] = envelope.signatures
        if not any(each.keyid == signature.keyid for each in keys):
            return f"is signed with another key ({signature.keyid[:16]})"
        return None if is_verified(envelope, keys) else "was altered: its signature does not match"


def is_verified(envelope: SignedPayload, keys: Sequence["Key"]) -> bool:
    """Return whether a signature of the envelope is of one of these keys."""
    from securesystemslib.exceptions import VerificationError  # noqa: PLC0415 - an extra

    try:
        envelope.for_library().verify(list(keys), 1)
    except VerificationError:
        return False
    return True


def write_signed(path: Path, statement: Statement, signer: "Signer") -> ManifestFile:
    """Sign a statement and write the envelope; CannotWrite where the signer fails, and then nothing is written."""
    draft = SignedPayload(msgspec.json.encode(statement), PAYLOAD_TYPE, [])
    try:
        signature = draft.for_library().sign(signer)
        signed = msgspec.structs.replace(
            draft, signatures=[EnvelopeSignature(signature.keyid, bytes.fromhex(signature.signature))]
        )
        fits = is_verified(signed, [signer.public_key])
    except Exception as error:  # noqa: BLE001 - whatever a signer raises
        said = one_line(mask_shapes(str(error))) or without_values(error)
        raise CannotWrite(f"{path}: not signed and not written ({type(error).__name__}: {said})") from None
    if not fits:
        raise CannotWrite(f"{path}: not signed and not written (the signature does not match the public key)")
    return ManifestFile(path, write_document(path, signed), signed)

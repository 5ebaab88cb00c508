"""`make pin-images`: pin the base images of the Dockerfile by the digests that their registry has for them now.

A digest is written only if the registry returned a manifest whose SHA-256 it is.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import requests

ROOT = Path(__file__).parents[1]

FROM = re.compile(
    r"^(?P<before>FROM\s+(?:--platform=\S+\s+)?)(?P<image>\S+?)(?:@sha256:[0-9a-f]{64})?(?P<after>\s.*)?$"
)

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

PARAMETER = re.compile(r'(\w+)="([^"]*)"')

TIMEOUT = 30


class NotPinned(Exception):  # noqa: N818 - named as it is reported
    """A digest could not be read: one sentence."""


class Image(NamedTuple):
    """Where an image is: the address of the registry, the repository in it, and the tag."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def of(cls, name: str) -> "Image":
        """Read a name as Docker does: without a registry, Docker Hub is meant."""
        first, slash, rest = name.partition("/")
        has_registry = bool(slash) and (first == "localhost" or "." in first or ":" in first)
        host, path = (first, rest) if has_registry else ("registry-1.docker.io", name)
        repository, _, tag = path.partition(":")
        if not has_registry and "/" not in repository:
            repository = f"library/{repository}"
        is_local = host.partition(":")[0] in {"localhost", "127.0.0.1"}
        return cls(f"{'http' if is_local else 'https'}://{host}", repository, tag or "latest")


def read_digest(image: Image) -> str:
    """Return the digest of an image's manifest, computed from what the registry returned; NotPinned."""
    called = f"{image.repository}:{image.tag}"
    address = f"{image.registry}/v2/{image.repository}/manifests/{image.tag}"
    with requests.Session() as session:
        session.headers["Accept"] = ", ".join(MANIFESTS)
        try:
            answer = session.get(address, timeout=TIMEOUT)
            if answer.status_code == requests.codes.unauthorized:
                session.headers["Authorization"] = f"Bearer {_fetch_token(session, answer, image)}"
                answer = session.get(address, timeout=TIMEOUT)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise NotPinned(f"{called}: could not be read from {image.registry} ({error})") from None
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if answer.headers.get("Docker-Content-Digest", digest) != digest:
        raise NotPinned(f"{called}: the manifest is not the one that the registry announced")
    if answer.headers.get("Content-Type", "").partition(";")[0] not in MANIFESTS:
        raise NotPinned(f"{called}: {image.registry} returned no manifest")
    return digest


def _fetch_token(session: requests.Session, answer: requests.Response, image: Image) -> str:
    """Return the token for reading that a registry gives to anyone."""
    said = dict(PARAMETER.findall(answer.headers.get("WWW-Authenticate", "")))
    if "realm" not in said:
        raise NotPinned(f"{image.repository}:{image.tag}: {image.registry} requires a login")
    wanted = {"service": said.get("service", ""), "scope": f"repository:{image.repository}:pull"}
    given = session.get(said["realm"], params=wanted, timeout=TIMEOUT)
    given.raise_for_status()
    content = given.json()
    return str(content.get("token") or content.get("access_token"))


def pin(text: str) -> str:
    """Return a Dockerfile whose base images are pinned; NotPinned where one cannot be. Stages of its own stay."""
    digests: dict[str, str] = {}
    stages: set[str] = set()
    lines = []
    for line in text.splitlines(keepends=True):
        found = FROM.match(line.rstrip("\n"))
        if found is not None:
            image, after = found["image"], found["after"] or ""
            if image not in stages | {"scratch"}:
                digest = digests.get(image) or digests.setdefault(image, read_digest(Image.of(image)))
                line = f"{found['before']}{image}@{digest}{after}\n"  # noqa: PLW2901
            stages.update(re.findall(r"(?i)^\s+AS\s+(\S+)", after))
        lines.append(line)
    if not digests:
        raise NotPinned("no base image is named")
    return "".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Pin the images of a Dockerfile; 0 if it is pinned, 2 where a digest could not be read and nothing is changed."""
    parser = argparse.ArgumentParser(prog="python -m release.pin_images", description="Pin base images by digest.")
    parser.add_argument("dockerfile", type=Path, nargs="?", default=ROOT / "Dockerfile")
    path = parser.parse_args(words).dockerfile
    try:
        text = pin(path.read_text(encoding="utf-8"))
    except NotPinned as error:
        print(f"{path}: nothing is changed: {error}", file=sys.stderr)
        return 2
    path.write_text(text, encoding="utf-8")
    print(f"{path}:")
    print("".join(f"  {line}\n" for line in text.splitlines() if line.startswith("FROM")), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

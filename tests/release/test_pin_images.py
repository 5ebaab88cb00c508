"""Base images are pinned by digests that a registry returned, and by no others."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from release.pin_images import Image, main

INDEX = "application/vnd.oci.image.index.v1+json"
MADE_UP = "MADE-UP-token-for-reading"


@dataclass
class Registry:
    """What a registry holds, and what it was asked."""

    address: str = ""
    manifests: dict[str, bytes] = field(default_factory=dict)
    kind: str = INDEX
    announces: str | None = None
    realm: bool = True
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that gives its token to anyone, as Docker Hub does."""
    state = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            state.asked.append(url.path)
            if url.path == "/token":
                assert parse_qs(url.query)["scope"] == ["repository:library/python:pull"]
                self.answer(200, json.dumps({"token": MADE_UP}).encode(), {"Content-Type": "application/json"})
            elif self.headers.get("Authorization") != f"Bearer {MADE_UP}":
                realm = f'Bearer realm="http://{state.address}/token",service="made-up"' if state.realm else "Basic"
                self.answer(401, b"", {"WWW-Authenticate": realm})
            elif url.path in state.manifests:
                content = state.manifests[url.path]
                digest = state.announces or f"sha256:{hashlib.sha256(content).hexdigest()}"
                self.answer(200, content, {"Content-Type": state.kind, "Docker-Content-Digest": digest})
            else:
                self.answer(404, b"", {})

        def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    state.address = f"127.0.0.1:{server.server_address[1]}"
    state.manifests["/v2/library/python/manifests/3.13-slim"] = b'{"made": "up"}'
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def dockerfile(registry: Registry, tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    image = f"{registry.address}/library/python:3.13-slim"
    path.write_text(
        f"# FROM in a comment\nFROM {image} AS build\nRUN true\n"
        f"FROM {image}@sha256:{'0' * 64}\nFROM build\nFROM scratch\n"
    )
    return path


def test_every_base_is_pinned_and_stages_stay(registry: Registry, dockerfile: Path) -> None:
    assert main([str(dockerfile)]) == 0

    digest = f"sha256:{hashlib.sha256(registry.manifests['/v2/library/python/manifests/3.13-slim']).hexdigest()}"
    image = f"{registry.address}/library/python:3.13-slim@{digest}"
    assert dockerfile.read_text() == (
        f"# FROM in a comment\nFROM {image} AS build\nRUN true\nFROM {image}\nFROM build\nFROM scratch\n"
    )
    assert registry.asked.count("/token") == 1
    once = dockerfile.read_text()
    assert main([str(dockerfile)]) == 0
    assert dockerfile.read_text() == once


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"manifests": {}}, "could not be read from http://127.0.0.1:"),
        ({"announces": f"sha256:{'1' * 64}"}, "the manifest is not the one that the registry announced"),
        ({"kind": "text/html"}, "returned no manifest"),
        ({"realm": False}, "requires a login"),
    ],
)
def test_no_digest_is_written_that_was_not_read(
    registry: Registry, dockerfile: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], said: str
) -> None:
    before = dockerfile.read_text()
    for name, value in change.items():
        setattr(registry, name, value)

    assert main([str(dockerfile)]) == 2

    assert dockerfile.read_text() == before
    error = capsys.readouterr().err
    assert error.startswith(f"{dockerfile}: nothing is changed: library/python:3.13-slim: ")
    assert said in error


def test_a_file_without_a_base_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")

    assert main([str(tmp_path / "Dockerfile")]) == 2
    assert "nothing is changed: no base image is named" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("python", Image("https://registry-1.docker.io", "library/python", "latest")),
        ("python:3.13-slim", Image("https://registry-1.docker.io", "library/python", "3.13-slim")),
        ("acme/tool:1", Image("https://registry-1.docker.io", "acme/tool", "1")),
        ("ghcr.example/acme/tool:1", Image("https://ghcr.example", "acme/tool", "1")),
        ("localhost:5000/tool", Image("http://localhost:5000", "tool", "latest")),
    ],
)
def test_names_are_read_as_docker_reads_them(name: str, image: Image) -> None:
    assert Image.of(name) == image

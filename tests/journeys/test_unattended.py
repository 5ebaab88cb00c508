"""Runs that nobody watches: two do not meet, the log can be read by machines, company networks are passed."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Self

import pytest
import trustme

from credly_audit.files.locks import AlreadyRunning, alone
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World
from tests.build import AS_OF
from tests.journeys.conftest import Command, configure
from tests.journeys.test_run import AS_OF_DATE, JSON_ONLY
from tests.journeys.test_secrets_stay import searched

COMMAND = (sys.executable, "-m", "credly_audit")
QUIETLY = ("run", "--as-of", AS_OF_DATE, *JSON_ONLY)


@contextmanager
def running(folder: Path, sandbox: Sandbox) -> Iterator[subprocess.Popen[str]]:
    """A run of its own process that has begun to ask, and that gets no answer."""
    sandbox.world.organizations[0].faults = ["stall"]
    environ = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
    asked = len(sandbox.requests)
    with subprocess.Popen([*COMMAND, *QUIETLY], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(sandbox.requests) == asked:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        try:
            yield process
        finally:
            process.kill()


def test_the_second_of_two_runs_ends_at_once_having_asked_nothing(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    with running(tmp_path, sandbox):
        time.sleep(0.3)
        asked = len(sandbox.requests)

        done = credly_audit(*QUIETLY, "--quiet")

        assert done.code == 2
        assert done.err == (
            "credly-audit: another run of credly-audit.toml is in progress (on this machine): no request was sent; "
            "run the command again when it has ended\n"
        )
        assert len(sandbox.requests) == asked
        assert not (tmp_path / "reports" / f"credly-audit-{AS_OF_DATE}.json").exists()


def test_a_run_that_was_killed_leaves_the_way_free(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    with running(tmp_path, sandbox) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    sandbox.world.organizations[0].faults = []

    assert credly_audit(*QUIETLY).code == 0


@pytest.mark.usefixtures("credly_audit")
def test_one_configuration_is_one_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "link.toml").symlink_to(tmp_path / "credly-audit.toml")

    with alone(Path("credly-audit.toml")):
        with alone(Path("another.toml")):
            pass
        for name in (tmp_path / "credly-audit.toml", Path("link.toml")):
            with pytest.raises(AlreadyRunning), alone(name):
                pass


def test_where_no_lock_can_be_held_that_is_said_and_the_audit_goes_on(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "in-the-way").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "in-the-way"))

    done = credly_audit(*QUIETLY, "--no-history")

    assert done.code == 0
    assert "no lock can be acquired there (Not a directory), so two runs could overlap; set XDG_STATE_HOME" in done.err


def test_the_log_names_the_host_when_configuration_and_secrets_are_valid(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "secret-0").chmod(0o644)

    done = credly_audit(*QUIETLY)

    first, second, *_ = done.err.splitlines()
    assert "file:secret-0 is readable by other users" in first
    host = sandbox.base_url.removeprefix("http://").removesuffix("/v1")
    assert second.endswith(f"Collecting 2 organizations from {host}")

    (tmp_path / "secret-1").unlink()
    failed = credly_audit(*QUIETLY)
    assert failed.code == 2
    assert "Collecting" not in failed.err


def test_every_line_of_a_json_log_has_the_runs_id_and_none_a_value(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[1].faults = ["status=401"]

    first = credly_audit(*QUIETLY, "--log-format", "json", "--verbose")
    second = credly_audit(*QUIETLY, "--log-format", "json", "--verbose")

    runs = [{json.loads(line)["run"] for line in done.err.splitlines()} for done in (first, second)]
    assert [len(ids) for ids in runs] == [1, 1]
    assert runs[0] != runs[1]
    values = {each.token for organization in sandbox.world.organizations for each in organization.tokens}
    assert searched(values, {"log": first.err.encode()}) == []


def test_what_goes_wrong_is_a_line_of_the_json_log_too(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    config = configure(tmp_path, sandbox)
    (tmp_path / "secret-0").unlink()

    done = credly_audit(*QUIETLY, "--log-format", "json")

    assert done.code == 2
    records = [json.loads(line) for line in done.err.splitlines()]
    assert records[-1]["level"] == "error"
    assert records[-1]["message"].startswith(f"{config.name}:5: Acme: file:secret-0 cannot be read")


def test_a_report_on_standard_output_leaves_the_json_log_whole(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, "--output", "json=-", "--log-format", "json")

    assert json.loads(done.out)["verdict"]["outcome"] == "pass"
    messages = [json.loads(line)["message"] for line in done.err.splitlines()]
    assert [message for message in messages if message.startswith("Pass: 6 tokens")]


class Proxy:
    """A real HTTP proxy on loopback: CONNECT alone, and only with the right password."""

    def __init__(self, wanted: str | None = None) -> None:
        self.connected: list[str] = []
        self._wanted = wanted
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(3)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            target = head.split()[1].decode()
            self.connected.append(target)
            if self._wanted and f"Proxy-Authorization: Basic {self._wanted}".encode() not in head:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            host, port = target.rsplit(":", 1)
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = Thread(target=_copied, args=(server, client), daemon=True)
                back.start()
                _copied(client, server)
                back.join(5)


def _copied(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def encrypted(sandbox: Sandbox, tmp_path: Path) -> Iterator[Sandbox]:
    """The sandbox behind TLS, with a certificate of a company's own authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Sandbox(World(sandbox.world.organizations, as_of=AS_OF), now=AS_OF, ssl_context=context) as served:
        yield served


def test_a_companys_proxy_and_authority_are_used(credly_audit: Command, encrypted: Sandbox, tmp_path: Path) -> None:
    with Proxy(wanted="YXVkaXRvcjpNQURFLVVQ") as proxy:
        address = f"http://auditor:MADE-UP@127.0.0.1:{proxy.port}"
        configure(tmp_path, encrypted, extra=f'ca_bundle = "ca.pem"\nproxy = "{address}"\n')

        done = credly_audit(*QUIETLY, "--verbose")

    at = encrypted.base_url.removeprefix("https://").removesuffix("/v1")
    assert done.code == 0, done.err
    assert set(proxy.connected) == {at}
    assert f"Collecting 2 organizations from {at} through the proxy 127.0.0.1:{proxy.port}\n" in done.err
    assert "MADE-UP" not in done.err + done.out


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_the_environments_proxy_is_used(
    credly_audit: Command, encrypted: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    configure(tmp_path, encrypted, extra='ca_bundle = "ca.pem"\n')
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Proxy() as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")

        assert credly_audit(*QUIETLY).code == 0

    assert proxy.connected


def test_an_authority_that_is_not_trusted_is_named_with_its_mend(
    credly_audit: Command, encrypted: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, encrypted, extra="max_retries = 0\n")

    done = credly_audit(*QUIETLY)

    assert done.code == 3
    assert "is not trusted" in done.out
    assert "[api] ca_bundle" in done.out

"""`credly-audit sandbox serve`, as a person runs it."""

import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import trustme

from credly_audit.errors import UsageError
from credly_audit.files.resources import shipped
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, World
from tests.sandbox.conftest import NOW

PROGRAM = [sys.executable, "-c", "from credly_audit.cli.main import main; main()", "sandbox", "serve"]
LINDQVIST = "d8e9bdf8-e193-4304-8302-78418daf6418"


@pytest.mark.parametrize("ends_with", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_sample_data_until_it_is_told_to_end(ends_with: signal.Signals) -> None:
    value = (shipped("sample_data") / "secrets" / "lindqvist-engineering").read_text().strip()
    with subprocess.Popen([*PROGRAM, "--fault", "status=503x1"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(4)]
        base_url = re.search(r"http://127\.0\.0\.1:\d+/v1", said[0])
        assert base_url is not None
        url = f"{base_url[0]}/organizations/{LINDQVIST}/authorization_tokens"
        statuses = [requests.get(url, auth=(value, ""), timeout=5).status_code for _ in range(2)]
        process.send_signal(ends_with)
        rest = process.stdout.read()

    assert statuses == [503, 200]
    assert process.returncode == 0
    assert "Serving 9 organizations" in said[0]
    assert f"CREDLY_API_URL={base_url[0]} credly-audit run -c" in said[2]
    assert value not in "".join(said) + rest


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--fault", "statu=503", "there is no fault 'statu'; did you mean 'status'?"),
        ("--now", "yesterday", "--now yesterday: write an instant"),
        ("--data", "nowhere", "nowhere"),
    ],
)
def test_what_it_cannot_do_it_says_in_one_line(option: str, value: str, told: str) -> None:
    ended = subprocess.run([*PROGRAM, option, value], capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}: cannot be opened"), Sandbox(World([]), port=port):
            pass


def test_help_explains_every_fault() -> None:
    told = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, timeout=20, check=True).stdout

    assert "NAME[=VALUE][@SCOPE]...[+SKIP][xCOUNT]" in told
    assert "lost-after " in told


def test_it_speaks_tls_where_it_is_given_a_certificate(acme: SandboxOrganization, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Sandbox(World([acme]), now=NOW, ssl_context=context) as sandbox:
        url, auth = f"{sandbox.base_url}/organizations/{acme.id}", (acme.auditor.token, "")
        assert requests.get(url, auth=auth, timeout=5, verify=str(tmp_path / "ca.pem")).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, auth=auth, timeout=5)
        plain = url.replace("https", "http")
        with pytest.raises(requests.ConnectionError):
            requests.get(plain, auth=auth, timeout=5)

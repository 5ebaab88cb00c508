"""Does collecting keep its two promises? 200 organizations, 490 pages, 50 ms an answer, 16 workers, real sockets.

The collector takes at most 1.25 times ceil(requests / 16) × 50 ms (page 1 read again counts among the requests); the
whole process `credly-audit collect` is at least 9 times faster than credly-python-api 0.2.0 over the same server.
The sandbox runs in a process of its own; its share of the two cores is part of what is measured.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATENCY = 0.05
WORKERS = 16
PAGES = [1] * 150 + [3] * 30 + [10] * 15 + [20] * 5
ROUNDS = 5

MOST_TIMES_IDEAL = 1.25
LEAST_TIMES_FASTER = 9.0


def main() -> None:
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        try:
            sound = measure(base_url)
        finally:
            server.terminate()
    sys.exit(0 if sound else 1)


def measure(base_url: str) -> bool:
    rounds = [collector_alone(base_url) for _ in range(ROUNDS)]
    ratio = median(took / ideal for took, ideal, *_ in rounds)
    _, ideal, requests, cpu = rounds[0]
    print(f"{len(PAGES)} organizations, {sum(PAGES)} pages, {requests} requests, {WORKERS} workers, {LATENCY:g} s each")
    print(
        f"collector: {ratio:.2f} times the ideal of {ideal:.2f} s (at most {MOST_TIMES_IDEAL}), {cpu:.1f} ms CPU a page"
    )
    theirs = timed(sys.executable, __file__, "theirs", base_url)
    ours = median(whole_process(base_url) for _ in range(3))
    faster = theirs / ours
    print(f"whole process: {ours:.2f} s; credly-python-api 0.2.0: {theirs:.2f} s; {faster:.1f} times faster", end=" ")
    print(f"(at least {LEAST_TIMES_FASTER:g})")
    return ratio <= MOST_TIMES_IDEAL and faster >= LEAST_TIMES_FASTER


def organizations() -> list:
    from credly_audit.sandbox.world import made_up_organization  # noqa: PLC0415 - each process loads what it needs

    return [made_up_organization(n, now=NOW, tokens=50 * pages - n % 20) for n, pages in enumerate(PAGES)]


def collector_alone(base_url: str) -> tuple[float, float, int, float]:
    from credly_audit.collection.collect_snapshot import Ask, collect  # noqa: PLC0415
    from credly_audit.collection.progress import Lines  # noqa: PLC0415
    from credly_audit.config.settings import Api, Organization  # noqa: PLC0415
    from credly_audit.credly.auth import TokenCredential  # noqa: PLC0415
    from credly_audit.secrets import Secret  # noqa: PLC0415
    from credly_audit.secrets.fingerprint import Fingerprints  # noqa: PLC0415

    fingerprints = Fingerprints()
    asks = [
        Ask(Organization(id=one.id), TokenCredential(Secret(value), fingerprints.of(value)))
        for one in organizations()
        if (value := one.auditor.token)
    ]
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    began = perf_counter()
    snapshot = collect(asks, Api(base_url=base_url, workers=WORKERS), fingerprints, observer=Lines())
    took = perf_counter() - began
    spent = resource.getrusage(resource.RUSAGE_SELF)
    assert (snapshot.organizations["status"] == "complete").all()
    assert len(snapshot.tokens) == sum(50 * pages - n % 20 for n, pages in enumerate(PAGES))
    requests = int(snapshot.organizations["requests"].sum())
    cpu_ms = (spent.ru_utime + spent.ru_stime - cpu.ru_utime - cpu.ru_stime) * 1000 / requests
    return took, ceil(requests / WORKERS) * LATENCY, requests, cpu_ms


def whole_process(base_url: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        lines = ["[api]", f"base_url = {json.dumps(base_url)}", f"workers = {WORKERS}"]
        for number, one in enumerate(organizations()):
            (Path(folder) / str(number)).write_text(one.auditor.token)
            (Path(folder) / str(number)).chmod(0o600)
            lines += ["[[organizations]]", f'id = "{one.id}"', f'token = "file:{number}"']
        (Path(folder) / "credly-audit.toml").write_text("\n".join(lines))
        program = Path(sys.executable).with_name("credly-audit")
        return timed(program, "collect", "-c", f"{folder}/credly-audit.toml", "-o", f"{folder}/s", "--quiet")


def timed(*command: object) -> float:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CREDLY")}
    began = perf_counter()
    subprocess.run([str(word) for word in command], check=True, env=environment)
    return perf_counter() - began


def theirs(base_url: str) -> None:
    from credly import Client  # noqa: PLC0415

    for one in organizations():
        client = Client(api_key=one.auditor.token, base_url=base_url.removesuffix("/v1"))
        assert len([token.id for token in client.authorization_tokens.list(one.id)]) == len(one.tokens)


def serve() -> None:
    from credly_audit.sandbox.server import Sandbox  # noqa: PLC0415
    from credly_audit.sandbox.world import World  # noqa: PLC0415

    with Sandbox(World(organizations()), now=NOW, latency=LATENCY) as sandbox:
        print(sandbox.base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    {"serve": lambda *_: serve(), "theirs": theirs, "": lambda *_: main()}["".join(sys.argv[1:2])](*sys.argv[2:])

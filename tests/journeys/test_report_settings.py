"""What a team adds to its reports by `[report]`, from the configuration to the page."""

from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure


def with_report(folder: Path, sandbox: Sandbox, text: str) -> Path:
    config = configure(folder, sandbox)
    config.write_text(f"{config.read_text()}\n[report]\n{text}\n")
    return config


def test_title_guidance_logo_and_templates_reach_the_page(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "words.md").write_text("Ask *the identity team* first.")
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "about.html").write_text("<p>Filed by {{ title }}.</p>")
    text = 'title = "Acme Identity"\nguidance = "words.md"\nlogo = "logo.svg"\ntemplates = "own"'
    with_report(tmp_path, sandbox, text)

    done = credly_audit("run", "--format", "html", "--fail-on", "never", "--as-of", "2026-11-23")

    assert done.code == 0, done.err
    page = (tmp_path / "reports" / "credly-audit-2026-11-23.html").read_text()
    assert "<h1>Acme Identity</h1>" in page
    assert "<p>Ask <em>the identity team</em> first.</p>" in page
    assert '<img class="logo" src="data:image/svg+xml;base64,' in page
    assert "<p>Filed by Acme Identity.</p>" in page


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_broken_template_is_exit_2_in_one_line_and_nothing_is_asked_or_written(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, command: str
) -> None:
    config = configure(tmp_path, sandbox)
    assert credly_audit("collect", "-o", "kept.snapshot").code == 0
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "findings.html").write_text(
        "<p>\n{% for each in findings %}{{ each.nothing_such }}{% endfor %}"
    )
    config.write_text(f'{config.read_text()}\n[report]\ntemplates = "own"\n')
    asked = sandbox.counts.total()

    done = credly_audit(command, *(["kept.snapshot"] if command == "check" else []))

    assert done.code == 2
    [line] = [said for said in done.err.splitlines() if said.startswith("credly-audit: ")]
    assert line.startswith(f"credly-audit: {tmp_path}/own/findings.html: line 2: ")
    assert "has no attribute 'nothing_such'" in line
    assert not (tmp_path / "reports").exists()
    assert sandbox.counts.total() == asked


@pytest.mark.parametrize("mode", ["0600", "0640", "644"])
def test_only_the_file_of_counts_is_opened_to_others(
    mode: str, credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox, extra=f'[output]\nmode = "{mode}"\n')
    places = ("--output", "prometheus=own/audit.prom", "--output", "json=own/audit.json")

    credly_audit("run", "--no-history", "--format", "prometheus", "--format", "html", "--split-by", "tag", *places)

    for path in [*(tmp_path / "reports").iterdir(), *(tmp_path / "own").iterdir()]:
        assert path.stat().st_mode & 0o777 == (int(mode, 8) if path.suffix == ".prom" else 0o600)


@pytest.mark.parametrize("mode", ['"0666"', '"0755"', '"0400"', '"0"', '"rw"', "640", '"01640"', '"0620"'])
def test_a_mode_that_lets_others_write_or_is_none_is_refused(
    mode: str, credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = configure(tmp_path, sandbox, extra=f"[output]\nmode = {mode}\n")
    line = path.read_text().splitlines().index(f"mode = {mode}") + 1

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert done.err.startswith(f"credly-audit: credly-audit.toml:{line}: output.mode: ")
    assert '"0640"' in done.err

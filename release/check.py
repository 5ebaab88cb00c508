"""`make release-check`: build a commit's distributions and prove that they can be released.

What is left in the folder (dist/) is what is released: the distributions, a wheelhouse for machines without a network,
the bill of materials, and the SHA-256 of each file.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from release.distributions import (
    Distributions,
    NotReady,
    build,
    build_from_sdist,
    list_tracked,
    require_complete,
    require_equal,
    run_git,
)

ROOT = Path(__file__).parents[1]

LOCKS = ("requirements-all.lock", "requirements-build.lock")
"""What the wheelhouse holds: all extras, and what an installation from the source distribution builds with."""


@dataclass(frozen=True, slots=True)
class Release:
    """A commit, and the folder for what is released of it."""

    commit: str
    folder: Path
    online: bool
    """Whether a check that needs a network must not be skipped."""

    @property
    def built(self) -> Distributions:
        """The distributions in the folder."""
        return Distributions.in_folder(self.folder)

    @property
    def wheelhouse(self) -> Path:
        """The folder of the wheels that the package needs, and its own."""
        return self.folder / "wheelhouse"

    def build_twice(self) -> str:
        """Build the distributions twice, and the wheel once more from the source distribution."""
        first = build(ROOT, self.commit, self.folder)
        with TemporaryDirectory(prefix="release-") as name:
            second = build(ROOT, self.commit, Path(name) / "again")
            require_equal(first.sdist, second.sdist, "two builds")
            require_equal(first.wheel, second.wheel, "two builds")
            epoch = int(run_git(ROOT, "log", "-1", "--format=%ct", self.commit))
            require_equal(first.wheel, build_from_sdist(first.sdist, Path(name) / "third", epoch), "builds from both")
        return f"{first.sdist.name} and {first.wheel.name}: two builds are byte for byte the same"

    def compare_contents(self) -> str:
        """Compare the contents with the files of the commit."""
        tracked = list_tracked(ROOT, self.commit)
        require_complete(self.built, tracked)
        return f"all {len(tracked)} files of the commit are in the source distribution, the package's in the wheel"

    def check_metadata(self) -> str:
        """Check that an index accepts the metadata and renders the description."""
        run(sys.executable, "-m", "twine", "check", "--strict", self.built.sdist, self.built.wheel)
        return "metadata and description are accepted (twine check --strict)"

    def fill_wheelhouse(self) -> str:
        """Download every wheel of the lock files by hash, for this platform and Python."""
        self.wheelhouse.mkdir()
        for lock in LOCKS:
            download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            where = ["--only-binary", ":all:", "--dest", self.wheelhouse]
            run(*download, *where, "--require-hashes", "--requirement", ROOT / lock)
        shutil.copy(self.built.wheel, self.wheelhouse)
        many = len(list(self.wheelhouse.glob("*.whl")))
        return f"{many} wheels for this platform and Python in {self.wheelhouse.name}/"

    def install(self, distribution: Path, folder: Path, extras: str = "") -> str:
        """Install a distribution without a network in an empty environment, and run the demo there."""
        venv.create(folder, with_pip=False, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "--no-index", "--find-links", self.wheelhouse, f"{distribution}{extras}")
        command = folder / "bin" / "credly-audit"
        version = run(command, "--version").strip()
        run(command, "demo", "--output-dir", folder / "demo")
        formats = {path.suffix for path in (folder / "demo").iterdir()}
        if not formats >= {".html", ".xlsx", ".json"}:
            raise NotReady(f"{distribution.name}: the demo wrote {sorted(formats)}")
        return f"{distribution.name}: installed with --no-index; {version}; the demo runs"

    def list_materials(self, environment: Path) -> str:
        """Write the bill of materials of an environment that has the package with all extras."""
        path = self.folder / "credly_audit.cdx.json"
        run(
            *(sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", ROOT / "pyproject.toml"),
            *("--mc-type", "application", "--output-reproducible", "--validate", "--output-format", "JSON"),
            *("--output-file", path, environment / "bin" / "python"),
        )
        return f"{path.name}: CycloneDX, {len(json.loads(path.read_text())['components'])} components"

    def look_for_vulnerabilities(self) -> str:
        """Look up known vulnerabilities of everything in the lock file of all extras."""
        with TemporaryDirectory(prefix="release-") as name:
            report = Path(name) / "report.json"
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pip_audit", "--requirement", ROOT / "requirements-all.lock"),
                    *("--require-hashes", "--disable-pip", "--progress-spinner", "off"),
                    *("--format", "json", "--output", report),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            return judge_vulnerabilities(report, done.stderr, online=self.online)

    def write_sums(self) -> str:
        """Write the SHA-256 of each file that is released, as sha256sum does."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(self.folder)}\n" for path in files]
        (self.folder / "SHA256SUMS").write_text("".join(sums))
        return f"SHA256SUMS: {len(files)} files"


def judge_vulnerabilities(report: Path, said: str, *, online: bool) -> str:
    """Return what pip-audit found out; NotReady for a vulnerability, and, if `online`, for what it could not look up.

    An index without vulnerability data answers too: pip-audit then passes over a package, and that is no result.
    """
    text = report.read_text() if report.exists() else ""
    packages = json.loads(text)["dependencies"] if text else []
    vulnerable = [
        f"{each['name']} {each['version']} ({one['id']})" for each in packages for one in each.get("vulns", [])
    ]
    if vulnerable:
        raise NotReady(f"known vulnerabilities: {', '.join(vulnerable)}")
    unknown = [each for each in packages if "skip_reason" in each]
    if packages and not unknown:
        return f"no known vulnerability in {len(packages)} packages (pip-audit)"
    reason = unknown[0]["skip_reason"] if unknown else (said.strip().splitlines() or ["it printed nothing"])[-1]
    missing = f"{len(unknown)} of {len(packages)} packages" if unknown else "any package"
    sentence = f"pip-audit could not look up {missing} ({reason})"
    if online:
        raise NotReady(sentence)
    return f"skipped: {sentence}"


def run(*words: object) -> str:
    """Return what a program prints on standard output; NotReady with its last words where it fails."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise NotReady(f"{' '.join(str(word) for word in words[:4])} … failed: {' / '.join(said)}")
    return done.stdout


def check(release: Release) -> None:
    """Run every step and print what it proved; NotReady at the first one that fails."""
    with TemporaryDirectory(prefix="release-") as name:
        environments = Path(name)
        extras = "[keyring,notify,postgresql,sign]"
        steps: Sequence[Callable[[], str]] = (
            release.build_twice,
            release.compare_contents,
            release.check_metadata,
            release.fill_wheelhouse,
            lambda: release.install(release.built.sdist, environments / "sdist"),
            lambda: release.install(release.built.wheel, environments / "wheel", extras),
            lambda: release.list_materials(environments / "wheel"),
            release.look_for_vulnerabilities,
            release.write_sums,
        )
        for step in steps:
            print(f"  {step()}", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Check a release; 0 if it is ready, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m release.check", description="Prove that a commit can be released.")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="a folder, which is replaced")
    parser.add_argument("--online", action="store_true", help="fail where vulnerabilities cannot be looked up")
    typed = parser.parse_args(words)
    shutil.rmtree(typed.dist, ignore_errors=True)
    typed.dist.mkdir(parents=True)
    commit = run_git(ROOT, "rev-parse", typed.commit).strip()
    print(f"Release of {commit[:12]}", flush=True)
    if typed.commit == "HEAD" and run_git(ROOT, "status", "--porcelain", "--untracked-files=no"):
        print("  the working tree has changes that are not committed: they are not in this release", flush=True)
    try:
        check(Release(commit, typed.dist, typed.online))
    except NotReady as error:
        print(f"Not ready: {error}", file=sys.stderr)
        return 1
    print(f"Ready: {typed.dist}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A git history is searched by git: each object once, reachable or not; a hostile repository runs nothing."""

import base64
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from credly_audit.errors import UsageError
from credly_audit.leaks.folders import IGNORED
from tests import needs
from tests.leaks.finding import OTHER, VALUE, gaps, places, write
from tests.leaks.test_folders import search

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Git in a new repository, which is the working directory."""
    run = needs.runner("git")
    environ = {name: said for name, said in os.environ.items() if not name.startswith("GIT_")}
    people = {
        f"GIT_{who}_{what}": "made-up@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environ |= people | {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*words: object) -> str:
        done = run("-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *words, env=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    call("init", "-q")
    return call


def commit(git: Git, name: str, content: str | bytes, message: str = "Change a file") -> str:
    """Commit a file; return the commit."""
    write(Path(name), content)
    git("add", "-f", name)
    git("commit", "-q", "-m", message)
    return git("rev-parse", "HEAD")


def test_a_value_that_was_removed_is_found_with_its_path_and_first_commit(git: Git) -> None:
    first = commit(git, "conf/a.ini", f"\ntoken = {VALUE}\n")
    commit(git, "b.txt", f"\ntoken = {VALUE}\n")
    git("rm", "-q", "conf/a.ini", "b.txt")
    git("commit", "-q", "-m", "Remove")
    git("gc", "-q")

    scan = search(Path(), git=True)

    [leak] = scan.leaks
    found = leak.origin.object
    assert found is not None
    assert (leak.origin.path, leak.line, found.path, found.commit, found.kind) == (".", 2, "conf/a.ini", first, "blob")
    assert scan.searched["objects"] == 3 + 4 + 1  # three commits, four trees and the blob, which has two names
    assert gaps(scan) == []


def test_messages_tags_stashes_and_names_are_searched(git: Git) -> None:
    commit(git, "a", "1", f"Use {VALUE}")
    commit(git, f"{OTHER}.txt", "2")
    git("tag", "-a", "v1", "-m", f"With {OTHER}")
    write(Path("a"), base64.b64encode(f"{VALUE}:".encode()))
    git("stash", "-q")
    Path(f"{OTHER}.txt").unlink()

    kinds = [leak.origin.object and leak.origin.object.kind for leak in search(Path(), git=True).leaks]

    assert set(filter(None, kinds)) == {"blob", "commit", "tag", "tree"}


def test_what_no_branch_leads_to_any_more_is_found_until_git_prunes_it(git: Git) -> None:
    commit(git, "a", "1")
    git("checkout", "-q", "-b", "gone")
    commit(git, "b", VALUE)
    git("checkout", "-q", "main")
    git("branch", "-q", "-D", "gone")
    git("reflog", "expire", "--expire=now", "--all")

    [leak] = search(Path(), git=True).leaks
    assert leak.origin.object is not None
    assert leak.origin.object.path is None
    assert leak.place == f".: blob {leak.origin.object.id[:12]}:1"

    git("gc", "-q", "--prune=now")
    assert search(Path(), git=True).leaks == []


def test_an_archive_in_the_history_is_opened(git: Git) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("in.txt", VALUE)
    commit(git, "a.zip", file.getvalue())
    Path("a.zip").unlink()

    [place] = places(search(Path(), git=True))

    assert place.startswith(".: a.zip!/in.txt:1 (blob ")


def test_a_further_work_tree_a_subfolder_and_a_bare_copy_are_each_searched_once(git: Git, tmp_path: Path) -> None:
    commit(git, "sub/a", VALUE)
    commit(git, "sub/a", "removed")
    git("worktree", "add", "-q", tmp_path / "further")
    git("clone", "-q", "--bare", ".", tmp_path / "bare")

    assert len(search(Path("sub"), git=True).leaks) == 1
    assert len(search(tmp_path / "further", git=True).leaks) == 1
    assert len(search(tmp_path / "bare", git=True).leaks) == 1
    both = search(Path(), tmp_path / "further", git=True)
    assert len(both.leaks) == 1
    assert both.searched["repositories"] == 1


def test_a_shallow_or_partial_clone_is_a_gap(git: Git, tmp_path: Path) -> None:
    commit(git, "a", VALUE)
    commit(git, "a", "removed")
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "-q", "--depth=1", f"file://{Path.cwd()}", tmp_path / "shallow")
    git("clone", "-q", "--filter=blob:none", f"file://{Path.cwd()}", tmp_path / "partial")

    [(_, shallow)] = gaps(search(tmp_path / "shallow", git=True))
    scan = search(tmp_path / "partial", git=True)

    assert "shallow clone" in shallow
    assert "partial clone" in gaps(scan)[0][1]
    assert places(scan) == []


def test_a_damaged_history_is_a_gap(git: Git) -> None:
    commit(git, "a", "x" * 500)
    blob = git("rev-parse", "HEAD:a")
    path = Path(".git/objects") / blob[:2] / blob[2:]
    path.chmod(0o600)
    path.write_bytes(b"damaged")

    assert gaps(search(Path(), git=True))


def test_where_git_is_not_installed_the_history_is_a_gap(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(git, "a", VALUE)
    monkeypatch.setenv("PATH", "/nowhere")

    scan = search(Path(), git=True)

    assert gaps(scan) == [(".: git history", "cannot be read without git; install it")]
    assert places(scan) == ["a:1"]


def test_without_a_repository_git_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", VALUE)

    with pytest.raises(UsageError, match="--git: there is no git repository"):
        search(tmp_path, git=True)


def test_ignored_files_are_skipped_on_demand_only(git: Git) -> None:
    write(Path(".gitignore"), "build/\n*.log\n")
    write(Path("build/a"), VALUE)
    write(Path("build/b"), VALUE)
    write(Path("x.log"), VALUE)
    write(Path("kept"), OTHER)
    git("add", ".")

    assert {leak.origin.path for leak in search(Path()).leaks} == {"build/a", "build/b", "x.log", "kept"}
    scan = search(Path(), respect_gitignore=True)
    assert places(scan) == ["kept:1"]
    assert scan.skipped[IGNORED] == 2


def test_gitignore_outside_of_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in no work tree of git"):
        search(tmp_path, respect_gitignore=True)


def test_a_hostile_repository_runs_nothing_and_a_hook_s_environment_leads_nowhere_else(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(git, "a", VALUE)
    commit(git, "a", "removed")
    trap = f"touch {tmp_path / 'ran'}; false"
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.sshCommand", "core.editor"):
        git("config", key, trap)
    git("config", "log.showSignature", "true")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/index"))

    scan = search(Path(), git=True, respect_gitignore=True)

    assert len(scan.leaks) == 1
    assert gaps(scan) == []
    assert not (tmp_path / "ran").exists()

"""A chain of signed manifests: whatever is altered, removed, inserted or exchanged in it is found and named."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from credly_audit.audit.prior import PriorManifest
from credly_audit.manifest.chain import find_last_manifest
from credly_audit.manifest.contents import digest_of
from credly_audit.manifest.envelope import ManifestFile, write_signed
from credly_audit.manifest.signing_keys import load_signer
from tests.manifest.signed import SERIES, faults, sign, sign_chain, write_keys

MANY = 6


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six audits that follow each other, and the keys."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "chain").mkdir()
    sign_chain(folder / "chain", write_keys(folder), MANY)
    return folder


@contextmanager
def copied(original: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of the chain, and the key."""
    with TemporaryDirectory() as folder:
        shutil.copytree(original, folder, dirs_exist_ok=True)
        yield Path(folder) / "chain", Path(folder) / "key.pem"


def manifests(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.manifest.json"))


def test_a_chain_as_it_was_written_has_no_fault(original: Path) -> None:
    with copied(original) as (chain, key):
        assert faults(chain, key) == []
        for path in manifests(chain)[::2]:
            (chain / "older").mkdir(exist_ok=True)
            path.rename(chain / "older" / path.name)
        assert faults(chain, key) == []


@given(data=st.data())
@settings(deadline=None)
def test_a_byte_altered_in_any_file_is_found_in_that_file(original: Path, data: st.DataObject) -> None:
    with copied(original) as (chain, key):
        path = data.draw(st.sampled_from(sorted(chain.iterdir())))
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)

        found = faults(chain, key)

        assert len(found) == 1
        assert path.name in found[0]


@given(data=st.data())
@settings(deadline=None)
def test_bytes_added_or_cut_off_are_found(original: Path, data: st.DataObject) -> None:
    with copied(original) as (chain, key):
        path = data.draw(st.sampled_from(sorted(chain.iterdir())))
        content = path.read_bytes()
        added = data.draw(st.sampled_from([b" ", b"\n", b"{}", b"\x00"]))
        path.write_bytes(content + added if data.draw(st.booleans()) else content[: -len(added)])

        assert any(path.name in each for each in faults(chain, key))


@given(removed=st.sets(st.integers(0, MANY - 2), min_size=1))
@settings(deadline=None)
def test_every_audit_removed_but_the_newest_ones_is_named(original: Path, removed: set[int]) -> None:
    with copied(original) as (chain, key):
        paths = manifests(chain)
        for place in removed:
            paths[place].unlink()

        found = faults(chain, key)

        assert len(found) == len(removed)
        for place in removed:
            known = place + 1 not in removed  # the manifest of the next audit, which holds its name, is there
            name = f" ({paths[place].name})" if known else ""
            assert any(each.startswith(f"audit {place + 1}{name}: was removed; ") for each in found)


@given(places=st.permutations(range(MANY)).filter(lambda order: order != sorted(order)))
@settings(deadline=None)
def test_audits_in_another_order_are_found(original: Path, places: list[int]) -> None:
    with copied(original) as (chain, key):
        contents = [path.read_bytes() for path in manifests(chain)]
        moved = [path for path, place in zip(manifests(chain), places, strict=True) if manifests(chain)[place] != path]
        for path, place in zip(manifests(chain), places, strict=True):
            path.write_bytes(contents[place])

        found = faults(chain, key)

        for path in moved:
            assert any(each.startswith(f"{path.name}: was renamed: it was written as ") for each in found)


@given(place=st.integers(1, MANY - 1))
@settings(deadline=None)
def test_an_audit_that_the_owner_of_the_key_inserts_is_named(original: Path, place: int) -> None:
    with copied(original) as (chain, key):
        before = ManifestFile.read(manifests(chain)[place - 1])
        (chain / "more").mkdir()
        previous = PriorManifest(place, before.name, before.sha256)

        inserted = sign(chain / "more", 40, key, previous)

        found = faults(chain, key)
        assert len(found) == 1
        assert inserted.name in found[0]
        assert "inserted" in found[0]


@given(place=st.integers(0, MANY - 2))
@settings(deadline=None)
def test_an_audit_altered_and_signed_again_is_named(original: Path, place: int) -> None:
    with copied(original) as (chain, key):
        path = manifests(chain)[place]
        file = ManifestFile.read(path)
        assert file.statement is not None
        assert file.statement.predicate.chain is not None

        sign(chain, place + 1, key, file.statement.predicate.chain.previous, series=SERIES)
        assert faults(chain, key) == []  # Ed25519: the same statement is signed by the same bytes
        report = path.with_name(path.name.replace(".manifest", ""))
        report.write_text("{}")
        resign(path, key)

        found = faults(chain, key)
        assert len(found) == 1
        assert found[0].startswith(f"audit {place + 1} ({path.name}): was altered and signed again")


def resign(path: Path, key: Path) -> None:
    """Write the manifest of a changed report again."""
    statement = ManifestFile.read(path).statement
    assert statement is not None
    [subject] = statement.subject
    digest = replace(subject.digest, sha256=digest_of(path.parent / subject.name))
    write_signed(path, replace(statement, subject=[replace(subject, digest=digest)]), load_signer(str(key), None, None))


def test_the_removal_of_the_newest_audits_cannot_be_seen(original: Path) -> None:
    with copied(original) as (chain, key):
        manifests(chain)[-1].unlink()

        assert faults(chain, key) == []


def test_a_second_beginning_of_a_series_is_found(original: Path) -> None:
    with copied(original) as (chain, key):
        (chain / "more").mkdir()
        begun = sign(chain / "more", 50, key, None)

        [found] = faults(chain, key)
        assert found.startswith(f"audit 1 ({begun.name}): was inserted; audit 2 ")


def test_two_audits_at_the_end_are_both_named(original: Path) -> None:
    with copied(original) as (chain, key):
        *_, before, last = manifests(chain)
        (chain / "more").mkdir()
        file = ManifestFile.read(before)
        other = sign(chain / "more", 60, key, PriorManifest(MANY - 1, file.name, file.sha256))

        [found] = faults(chain, key)
        assert last.name in found
        assert other.name in found
        assert "one was inserted, or two runs signed at the same time" in found


def test_several_series_in_one_folder_are_chains_of_their_own(tmp_path: Path) -> None:
    key = write_keys(tmp_path)
    for series in ("acme", "beta"):
        (tmp_path / series).mkdir()
        sign_chain(tmp_path / series, key, 3, series)

    assert faults(tmp_path, key) == []
    assert find_last_manifest(tmp_path, "gamma") is None
    manifests(tmp_path / "beta")[1].unlink()
    [found] = faults(tmp_path, key)
    assert found.startswith("audit 2 ")


def test_a_series_that_was_renamed_is_still_one_chain(tmp_path: Path) -> None:
    key = write_keys(tmp_path)
    last = sign_chain(tmp_path, key, 3)[-1]
    sign(tmp_path, 4, key, PriorManifest(3, last.name, last.sha256), series="acme-production")

    assert faults(tmp_path, key) == []
    manifests(tmp_path)[1].unlink()
    [found] = faults(tmp_path, key)
    assert found.startswith("audit 2 ")


def test_a_chain_goes_on_under_a_new_key(tmp_path: Path) -> None:
    old, new = write_keys(tmp_path, name="old"), write_keys(tmp_path, name="new")
    last = sign_chain(tmp_path, old, 2)[-1]
    sign(tmp_path, 3, new, PriorManifest(2, last.name, last.sha256))

    assert faults(tmp_path, old, new) == []
    assert len([each for each in faults(tmp_path, new) if "is signed with another key" in each]) == 2


def test_what_is_no_manifest_and_what_is_damaged_does_not_stop_the_chain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = write_keys(tmp_path)
    sign_chain(tmp_path, key, 2)
    (tmp_path / "damaged.manifest.json").write_text("{")

    found = find_last_manifest(tmp_path, SERIES)

    assert found is not None
    assert found.number == 2
    assert "damaged.manifest.json: not a manifest of credly-audit, or damaged" in caplog.text
    [fault] = faults(tmp_path, key)
    assert fault.startswith("damaged.manifest.json: not a manifest of credly-audit, or damaged")

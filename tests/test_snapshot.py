"""A snapshot is one file, read back as it was, and refused in one line where it is not one."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.errors import UsageError
from credly_audit.snapshot import APPLICATIONS, ORGANIZATIONS, TOKENS, Part, Shard, Snapshot, conform, merged
from tests.build import ACME, AS_OF, BETA, application, organization, snapshot, token

texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"])))


@given(
    st.lists(st.fixed_dictionaries({"description": texts, "owner_name": texts, "read_enabled": st.none()}), max_size=5)
)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]) -> None:
    path = tmp_path_factory.mktemp("snapshot") / "it.snapshot"
    applications = [application(number, description=row["description"]) for number, row in enumerate(rows)]
    written = snapshot([token(number, **row) for number, row in enumerate(rows)], applications=applications)

    written.write(path)
    read = Snapshot.read(path)

    assert read.header == written.header
    pd.testing.assert_frame_equal(read.tokens, written.tokens, check_categorical=False)
    pd.testing.assert_frame_equal(read.organizations, written.organizations)
    pd.testing.assert_frame_equal(read.applications, written.applications)
    assert {name: str(dtype) for name, dtype in read.tokens.dtypes.items()} == TOKENS
    assert {name: str(dtype) for name, dtype in read.organizations.dtypes.items()} == ORGANIZATIONS


def test_it_is_for_its_owner_alone_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"

    snapshot([token(1)]).write(one)
    snapshot([token(1)]).write(two)

    assert one.stat().st_mode & 0o777 == 0o600
    assert one.read_bytes() == two.read_bytes()


def test_a_file_from_before_there_were_applications_is_read_as_one_that_did_not_ask(tmp_path: Path) -> None:
    path = tmp_path / "old.snapshot"
    snapshot([token(1)]).write(path)
    with zipfile.ZipFile(path) as archive:
        head = json.loads(archive.read("header.json")) | {"format_version": 1}
        members = {name: archive.read(name) for name in archive.namelist() if name != "applications.parquet"}
    del head["oauth_applications_asked"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"header.json": json.dumps(head).encode()}).items():
            archive.writestr(name, content)

    read = Snapshot.read(path)

    assert (len(read.tokens), len(read.applications), read.header.oauth_applications_asked) == (1, 0, False)
    assert {name: str(dtype) for name, dtype in read.applications.dtypes.items()} == APPLICATIONS


def rewritten(path: Path, change: Callable[[dict[str, object]], None], **members: bytes) -> Path:
    """The file with another header, and other members in place of its own."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(content["header.json"])
    change(head)
    content |= {"header.json": json.dumps(head).encode()} | {f"{name}.parquet": each for name, each in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return path


def test_what_the_collection_knew_of_values_and_which_part_it_is_are_kept(tmp_path: Path) -> None:
    collected = snapshot([token(1)])
    header = replace(
        collected.header, value_lengths=(22, 43), other_fingerprints=("0" * 16,), part=Part("subset", "one of two")
    )
    header = replace(header, shard=Shard(2, 8), configuration_digest="d" * 64)
    replace(collected, header=header).write(tmp_path / "it.snapshot")

    assert Snapshot.read(tmp_path / "it.snapshot").header == header


def test_a_file_of_format_2_knows_no_lengths_and_is_no_part(tmp_path: Path) -> None:
    path = tmp_path / "old.snapshot"
    snapshot([token(1)]).write(path)

    def make_older(head: dict[str, object]) -> None:
        head["format_version"] = 2
        for name in ("value_lengths", "other_fingerprints", "part"):
            del head[name]

    read = Snapshot.read(rewritten(path, make_older))

    assert len(read.tokens) == 1
    assert (read.header.value_lengths, read.header.other_fingerprints, read.header.part) == ((), (), None)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("code", ["http-401", None, "absent"])
def test_before_format_3_there_is_no_reason_code_and_none_is_derived(
    tmp_path: Path, version: int, code: str | None
) -> None:
    path = tmp_path / "old.snapshot"
    failed = organization(status="failed", reason="401: the credential of Acme was refused.", reason_code=code)
    written = snapshot([], [failed])
    written.write(path)
    frame = io.BytesIO()
    written.organizations.drop(columns=["reason_code"] if code == "absent" else []).to_parquet(frame)

    def make_older(head: dict[str, object]) -> None:
        head["format_version"] = version
        for name in ("value_lengths", "other_fingerprints", "part", "shard", "configuration_digest"):
            del head[name]

    read = Snapshot.read(rewritten(path, make_older, organizations=frame.getvalue()))

    assert read.organizations["reason_code"].isna().all()
    assert read.organizations["reason"].tolist() == ["401: the credential of Acme was refused."]
    assert (read.header.shard, read.header.configuration_digest) == (None, None)


def test_a_reason_code_of_a_later_version_is_null(tmp_path: Path) -> None:
    path = tmp_path / "later.snapshot"
    rows = [organization(ACME, reason_code="proved"), organization(BETA, reason_code="of-a-later-version")]
    snapshot([], rows).write(path)

    assert Snapshot.read(path).organizations["reason_code"].fillna("null").tolist() == ["proved", "null"]


@pytest.mark.parametrize("shard", [{"index": "x", "count": 2}, {"index": 1}, [1, 2]])
def test_a_shard_that_is_none_is_refused(tmp_path: Path, shard: object) -> None:
    path = tmp_path / "odd.snapshot"
    snapshot([token(1)]).write(path)

    with pytest.raises(UsageError, match="not a snapshot of credly-audit, or damaged"):
        Snapshot.read(rewritten(path, lambda head: head.update(shard=shard)))


def test_snapshots_together_are_of_one_configuration_or_of_none() -> None:
    acme, beta, other = (
        replace(each, header=replace(each.header, shard=Shard(number, 2), configuration_digest=digest))
        for number, (each, digest) in enumerate(
            [(snapshot([token(1)]), "a"), (snapshot([token(2, BETA)]), "a"), (snapshot([token(2, BETA)]), "b")], 1
        )
    )

    assert merged({"a": acme, "b": beta}).header.configuration_digest == "a"
    assert merged({"a": acme, "b": other}).header.configuration_digest is None
    assert merged({"a": acme, "b": beta}).header.shard is None
    assert acme.only([ACME]).header.shard is None


def test_keys_and_columns_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "later.snapshot"
    written = snapshot([token(1)])
    written.write(path)
    frame = io.BytesIO()
    written.tokens.assign(a_later_column="x").to_parquet(frame)

    read = Snapshot.read(rewritten(path, lambda head: head.update(a_later_key=[1]), tokens=frame.getvalue()))

    assert read.header == written.header
    assert list(read.tokens) == list(TOKENS)


def test_snapshots_together_know_the_values_of_each() -> None:
    acme, beta = snapshot([token(1)]), snapshot([token(2, BETA)])
    acme = replace(acme, header=replace(acme.header, value_lengths=(22, 32)))
    beta = replace(beta, header=replace(beta.header, value_lengths=(22, 43), other_fingerprints=("0" * 16,)))

    header = merged({"a": acme, "b": beta}).header

    assert (header.value_lengths, header.other_fingerprints) == ((22, 32, 43), ("0" * 16,))


def test_snapshots_together_asked_for_applications_only_where_each_of_them_did() -> None:
    acme = snapshot([token(1)], applications=[application(1)])
    beta = snapshot([token(2, BETA)], applications=[application(2, BETA)])
    silent = snapshot([token(2, BETA)])

    assert merged({"a": acme, "b": beta}).header.oauth_applications_asked
    assert list(merged({"a": acme, "b": beta}).applications["application_id"]) == ["1", "2"]
    assert not merged({"a": acme, "b": silent}).header.oauth_applications_asked
    assert list(merged({"a": acme, "b": beta}).only([BETA]).applications["application_id"]) == ["2"]


def damaged(path: Path) -> None:
    snapshot([token(1)]).write(path)
    path.write_bytes(path.read_bytes()[:-200])


def foreign_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps({"format": "another"}))


def another_version(path: Path) -> None:
    snapshot([token(1)]).write(path)
    with zipfile.ZipFile(path) as archive:
        head = json.loads(archive.read("header.json"))
        members = {name: archive.read(name) for name in archive.namelist()}
    members["header.json"] = json.dumps(head | {"format_version": 99}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def scrambled_frame(path: Path) -> None:
    snapshot([token(1)]).write(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["tokens.parquet"] = b"PAR1 and nothing more PAR1"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damaged, "not a snapshot of credly-audit, or damaged"),
        (foreign_zip, "not a snapshot of credly-audit, or damaged"),
        (scrambled_frame, "not a snapshot of credly-audit, or damaged"),
        (another_version, "a snapshot of format 99; this version reads 1 to 3"),
        (lambda path: path.write_text("hello"), "not a snapshot of credly-audit, or damaged"),
        (lambda path: path.write_bytes(b""), "not a snapshot of credly-audit, or damaged"),
        (lambda _path: None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, spoil: object, said: str) -> None:
    path = tmp_path / "it.snapshot"
    assert callable(spoil)
    spoil(path)

    with pytest.raises(UsageError) as refused:
        Snapshot.read(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_several_collectors_snapshots_are_one() -> None:
    together = merged({"a": snapshot([token(1)]), "b": snapshot([token(2, BETA)], [organization(BETA)])})

    assert list(together.organizations["organization_id"]) == [ACME, BETA]
    assert list(together.tokens["organization_id"]) == [ACME, BETA]
    assert together.header.organizations_asked == (ACME, BETA)


def test_an_organization_in_two_snapshots_is_refused() -> None:
    with pytest.raises(UsageError, match=f"b: organization {ACME} is in a too"):
        merged({"a": snapshot([token(1)]), "b": snapshot([token(1)])})


def test_a_column_that_is_lacking_is_null_and_instants_are_utc() -> None:
    frame = conform({"token_id": ["a"], "created_at": [AS_OF + timedelta(microseconds=1)]}, TOKENS)

    assert frame.loc[0, "created_at"] == pd.Timestamp("2026-11-23T00:00:00.000001Z")
    assert frame["description"].isna().all()
    assert not frame["is_audit_credential"].any()

"""`rotate` where all is well, and every way in which Credly can fail it: one POST, and nothing is lost unsaid."""

import json
import stat
from datetime import UTC, datetime

import pytest

from tests.lifecycle.conftest import Bench, MakeBench

DONE_NOT_TOLD = [
    "lost-after@rotate",
    "status-after=500@rotate",
    "stall-after@rotate",
    "cut@rotate",
    "no-token-in-answer",
    "masked@rotate",
    "masked=stars@rotate",
]
"""The old value is dead, and the new one did not come."""

REFUSED = [
    "forbidden-html@rotate",
    "empty-401@rotate",
    *(f"status={status}@rotate" for status in (400, 401, 403, 404, 409, 422, 429)),
]
"""Nothing was done, and Credly says so."""

NOT_DONE = [
    "lost-before@rotate",
    "reset@rotate",
    "stall@rotate",
    "redirect=http://127.0.0.1:9/elsewhere@rotate",
    "redirect=/v1/organizations@rotate",
    "html@rotate",
    *(f"status={status}@rotate" for status in (408, 500, 502, 503, 504)),
]
"""Nothing was done, and no answer says so: that the old value still answers could be the work of a cache."""


def test_a_rotation_leaves_the_new_value_in_the_store_and_the_old_one_dead(bench: Bench) -> None:
    old = bench.token.token

    told = bench.rotate()

    assert told.code == 0
    assert (told.token["state"], told.token["old_value"]) == ("rotated", "dead")
    assert bench.token.token != old
    assert bench.store.read_text() == bench.token.token
    assert told.token["fingerprint"] != told.token["fingerprint_before"]
    assert told.token["gap_seconds"] >= 0
    assert bench.posts == {"rotate": 1}
    assert list(bench.emergency.iterdir()) == []


def test_the_text_says_state_place_expiry_and_gap_by_fingerprint_alone(bench: Bench) -> None:
    told = bench.rotate(shape="text")

    assert "rotated    Acme (" in told.out
    assert f"stored in file:{bench.store.relative_to(bench.folder)}; expires " in told.out
    assert "interruption " in told.out
    assert told.out.endswith("1 rotated.\n")
    assert "The old value stops working at once" in told.err
    assert f"from {bench.sandbox.origin.removeprefix('http://')}" in told.err.splitlines()[0]


def test_the_stores_file_keeps_its_mode_its_end_of_line_and_the_link_to_it(bench: Bench) -> None:
    real = bench.folder / "stores" / "real"
    bench.store.replace(real)
    real.write_text(real.read_text() + "\n")
    real.chmod(0o640)
    bench.store.symlink_to(real)

    assert bench.rotate().code == 0

    assert bench.store.is_symlink()
    assert real.read_text() == bench.token.token + "\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_new_description_is_given_and_the_old_one_kept_otherwise(bench: Bench) -> None:
    before = bench.token.description
    bench.rotate()
    assert bench.token.description == before

    bench.rotate("--description", "Badge sync of team sales, sales@acme.example")
    assert bench.token.description == "Badge sync of team sales, sales@acme.example"


@pytest.mark.parametrize(
    ("fault", "fallback"), [*((fault, False) for fault in REFUSED), *((fault, True) for fault in NOT_DONE)]
)
def test_where_nothing_was_done_the_old_value_still_works_and_is_said_to(
    make_bench: MakeBench, fault: str, *, fallback: bool
) -> None:
    """Credly refused, or the second credential sees the old value in force."""
    bench = make_bench(fallback=fallback)
    old = bench.token.token
    bench.sandbox.faults = [fault]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (1, "unchanged")
    assert "the old value still works" in told.words
    assert bench.posts["rotate"] == 1
    assert bench.token.token == old == bench.store.read_text()
    assert list(bench.emergency.iterdir()) == []


@pytest.mark.parametrize("fault", NOT_DONE)
def test_where_no_answer_says_that_nothing_was_done_nobody_is_told_so(bench: Bench, fault: str) -> None:
    """Without a second credential the old value's answer is no proof; the same command rotates it all the same."""
    old = bench.token.token
    bench.sandbox.faults = [fault]

    told = bench.rotate()

    assert (told.code, told.token["state"], told.token["old_value"]) == (3, "unknown", "unknown")
    assert "run the same command again" in told.words
    assert bench.token.token == old == bench.store.read_text()
    [journal] = bench.emergency.glob("*.json")
    assert str(journal) in told.words

    bench.sandbox.faults = []
    assert bench.rotate().token["state"] == "rotated"
    assert bench.posts["rotate"] == 2
    assert list(bench.emergency.iterdir()) == []


@pytest.mark.parametrize("fault", DONE_NOT_TOLD)
def test_a_value_that_did_not_come_is_found_with_the_second_credential(make_bench: MakeBench, fault: str) -> None:
    bench = make_bench(fallback=True)
    bench.sandbox.faults = [fault]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (0, "rotated")
    assert bench.store.read_text() == bench.token.token == bench.token.history[1]
    assert bench.posts["rotate"] == 1
    assert list(bench.emergency.iterdir()) == []


@pytest.mark.parametrize("fault", DONE_NOT_TOLD)
def test_without_a_second_credential_it_is_said_to_be_lost_and_where_to_make_another(bench: Bench, fault: str) -> None:
    bench.sandbox.faults = [fault]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "lost")
    assert "the old value no longer works" in told.words
    assert "Credly's web page" in told.words
    assert told.token["token_id"] == bench.token.id
    assert bench.posts["rotate"] == 1


def test_a_lost_value_is_found_by_the_same_command_once_a_second_credential_is_configured(bench: Bench) -> None:
    bench.sandbox.faults = ["lost-after@rotate"]
    assert bench.rotate().token["state"] == "lost"
    old = bench.store.read_text()
    bench.configure(fallback=True)
    bench.store.write_text(old)

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (0, "rotated")
    assert bench.store.read_text() == bench.token.token
    assert bench.posts["rotate"] == 1


def test_a_listing_that_withholds_values_cannot_give_back_a_lost_one(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True)
    bench.sandbox.faults = ["lost-after@rotate", "masked=stars@list+2"]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "lost")
    assert "does not show the new value" in told.words


def test_an_id_that_no_listing_showed_cannot_be_looked_for(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True)
    bench.acme.masked = True
    bench.sandbox.faults = ["lost-after@rotate"]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "lost")
    assert "the token's id is not known" in told.words


def test_values_withheld_from_the_listing_do_not_matter_where_the_answer_has_one(bench: Bench) -> None:
    bench.acme.masked = True

    assert bench.rotate().token["state"] == "rotated"
    assert bench.store.read_text() == bench.token.token


def test_an_answer_that_is_not_utf_8_still_gives_its_value(bench: Bench) -> None:
    bench.sandbox.faults = ["bad-utf8@rotate"]

    assert bench.rotate().token["state"] == "rotated"
    assert bench.store.read_text() == bench.token.token


@pytest.mark.parametrize("fault", ["status=503@list+2", "stall@list+2", "html@list+2", "reset@list+2"])
def test_a_value_that_nobody_proves_is_stored_and_kept_and_said_to_be_unknown(bench: Bench, fault: str) -> None:
    """The two GETs before the POST are answered, and none after it."""
    bench.sandbox.faults = [fault]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "unknown")
    assert bench.store.read_text() == bench.token.token
    assert bench.copies == [bench.token.token]
    assert "the new value is stored" in told.words
    assert "doctor" in told.words
    assert bench.posts["rotate"] == 1


def test_where_nobody_answers_after_the_post_it_is_unknown_until_the_same_command_finds_out(bench: Bench) -> None:
    bench.sandbox.faults = ["lost-after@rotate", "status=503@list+2"]
    told = bench.rotate()
    assert (told.code, told.token["state"]) == (3, "unknown")
    assert "run the same command" in told.words

    bench.sandbox.faults = ["status=503@list"]
    assert bench.rotate().token["state"] == "unknown"
    assert bench.posts["rotate"] == 1

    bench.sandbox.faults = []
    told = bench.rotate()
    assert (told.code, told.token["state"]) == (3, "lost")
    assert bench.posts["rotate"] == 1


def test_a_new_value_that_is_refused_while_the_old_one_works_is_replaced_by_the_old_one(bench: Bench) -> None:
    """Looks with the new value are refused, and the old one works: not done, or not known everywhere yet."""
    old = bench.token.token

    def undone() -> None:
        bench.token.then = lambda: None
        bench.acme.tokens.append(type(bench.token)(bench.token))
        bench.acme.tokens[-1].token = old
        bench.sandbox.faults = ["status=401@list+0x3"]

    bench.token.then = undone
    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "unknown")
    assert "the value in Credly's answer does not work; the old value still works" in told.words
    assert bench.store.read_text() == old
    assert bench.copies == [bench.token.token]

    told = bench.rotate()
    assert (told.code, told.token["state"], told.token["old_value"]) == (3, "rotated", "alive")
    assert bench.store.read_text() == bench.token.token
    assert bench.posts["rotate"] == 1


def test_an_old_value_that_stays_alive_needs_a_person(bench: Bench) -> None:
    old = bench.token.token

    def stays() -> None:
        bench.token.then = lambda: None
        bench.acme.tokens.append(type(bench.token)(bench.token))
        bench.acme.tokens[-1].token = old

    bench.token.then = stays
    told = bench.rotate()

    assert (told.code, told.token["state"], told.token["old_value"]) == (3, "rotated", "alive")
    assert "treat the old value as active" in told.words
    assert bench.store.read_text() == bench.token.token


@pytest.mark.parametrize("fault", ["status=503@list", "stall@list", "html@list", "status=403@list", "reset@list"])
def test_a_credential_that_nobody_judges_is_not_rotated(bench: Bench, fault: str) -> None:
    bench.sandbox.faults = [fault]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (1, "unchanged")
    assert "nothing was changed" in told.words
    assert bench.posts == {}


def test_a_credential_that_is_refused_beforehand_needs_another_from_the_web_page(bench: Bench) -> None:
    bench.sandbox.faults = ["status=401@list"]

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "lost")
    assert "create one in Credly's web page" in told.words
    assert bench.posts == {}


def test_what_the_second_credential_sees_of_a_value_that_is_refused_is_said(make_bench: MakeBench) -> None:
    bench = make_bench(fallback=True)
    bench.token.expires_at = datetime(2026, 1, 1, tzinfo=UTC)

    told = bench.rotate()
    assert (told.code, told.token["state"]) == (3, "lost")
    assert f"shows it to fallback_token as token {bench.token.id}, which expires 2026-01-01T00:00:00.000Z" in told.words

    bench.token.token = "MADE-UP-given-by-someone-else"
    assert "shows fallback_token no token with this value" in bench.rotate().words
    bench.sandbox.faults = ["status=401@list"]
    assert "fallback_token could not look it up: 401" in bench.rotate().words
    assert bench.posts == {}


def test_only_gets_are_asked_and_nothing_is_written_by_a_dry_run(bench: Bench) -> None:
    before = sorted(path for path in bench.folder.rglob("*"))
    stamps = [path.stat().st_mtime_ns for path in before]

    told = bench.rotate("--dry-run", "--store", bench.failing(1), "--read-back", "none")

    (bench.folder / "keep").unlink()
    assert told.code == 0
    assert told.token["dry_run"]
    assert "would be rotated" in told.words
    assert bench.posts == {}
    assert sorted(path for path in bench.folder.rglob("*")) == before
    assert [path.stat().st_mtime_ns for path in before if path != bench.folder] == [
        stamp for path, stamp in zip(before, stamps, strict=True) if path != bench.folder
    ]


def test_a_log_of_json_has_nothing_but_json_on_standard_error(bench: Bench) -> None:
    told = bench.rotate("--log-format", "json")

    lines = [json.loads(line)["message"] for line in told.err.splitlines()]
    assert any("The old value stops working at once" in line for line in lines)


def test_quiet_says_nothing_when_all_is_well(bench: Bench) -> None:
    told = bench.run("rotate", "--organization", bench.acme.id, "--yes", "--quiet", "--emergency-dir", bench.emergency)

    assert (told.code, told.out, told.err) == (0, "", "")

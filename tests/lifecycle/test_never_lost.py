"""Whatever comes back of the POST, and whatever the old value and the listings show: no value is lost unsaid."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from credly_audit.sandbox.api import new_value
from credly_audit.secrets.shape import looks_random
from tests.lifecycle.conftest import Bench, Told, Watched
from tests.lifecycle.odd import ELSEWHERE, HOLDS_IT, LACKS_IT, LISTINGS, OLD, WORDS, Odd, row

FORMS = HOLDS_IT | LACKS_IT


@dataclass(frozen=True)
class Case:
    """One way in which Credly can be odd."""

    form: str | None = None
    refuses: int | None = None
    breaks: int | None = None
    old_value: str = OLD[0]
    fallback: bool = False
    listing: str = "null"
    own_listing: str = "null"

    def answers(self, value: str) -> bool:
        """Whether the POST's answer holds the value; elsewhere than in its place it is known by its shape alone."""
        return self.form in HOLDS_IT and (self.form not in ELSEWHERE or looks_random(value))

    @property
    def lists(self) -> bool:
        """Whether the second credential's listing shows the value."""
        return self.fallback and self.listing == "the value"


POSTS = st.one_of(
    st.sampled_from([{"form": form} for form in FORMS]),
    st.sampled_from([{"refuses": status} for status in (400, 401, 403, 404, 409, 422, 429)]),
    st.sampled_from([{"breaks": status} for status in (500, 502, 503, 408, 307)]),
)

SHOWN = st.sampled_from(list(LISTINGS))

ROTATIONS = st.builds(
    lambda post, **rest: Case(**post, **rest),
    POSTS,
    old_value=st.sampled_from(OLD),
    fallback=st.booleans(),
    listing=SHOWN,
)

CREATIONS = st.builds(
    lambda post, **rest: Case(**post, **rest), POSTS, fallback=st.booleans(), listing=SHOWN, own_listing=SHOWN
)

tried = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def arranged(bench: Bench, case: Case) -> Odd:
    """Fresh values in their files, an empty emergency folder, and a Credly that is as odd as the case."""
    del bench.acme.tokens[2:]
    for token in bench.acme.tokens:
        token.token = new_value()
    bench.acme.tokens[0] = Watched(bench.acme.tokens[0])
    bench.configure(fallback=case.fallback)
    for left in bench.emergency.glob("*"):
        left.unlink()
    form = FORMS.get(case.form or "")
    api = bench.sandbox.api.api if isinstance(bench.sandbox.api, Odd) else bench.sandbox.api
    odd = Odd(
        api, bench.acme, form, case.refuses, case.breaks, case.old_value, case.listing, case.own_listing
    )  # fmt: skip
    bench.sandbox.api = odd  # type: ignore[assignment] # it stands before the endpoints and answers like them
    bench.sandbox.requests.clear()
    bench.said.clear()
    return odd


def journals(bench: Bench) -> list[str]:
    return [path.name for path in bench.emergency.glob("*.json")]


def must_hold(bench: Bench, case: Case, odd: Odd, told: Told) -> None:
    """The laws of one rotation."""
    state, stored = told.token["state"], bench.store.read_text()
    old, new = bench.token.history[0], bench.token.token
    shows_old = case.fallback and "second" in odd.asked and case.listing == "the old value"

    assert bench.leaks() == []
    assert stored in {old, new}, "the store holds a value that is one"
    if state == "unchanged" and not journals(bench):
        assert case.refuses or shows_old, "unchanged without a proof"
    if state == "lost":
        assert not case.fallback or "second" in odd.asked, "lost, and nobody was asked"
    if state == "rotated":
        assert (stored, journals(bench)) == (new, [])
    if state in {"lost", "unknown"}:
        assert journals(bench)
        assert (told.code, bool(told.token["next_step"])) == (3, True)


@given(ROTATIONS)
@example(Case("as documented", old_value="still answers", fallback=True, listing="the value"))
@example(Case("as documented", old_value="answers once more"))
@example(Case("words: one word", fallback=True, listing="the value"))
@tried
def test_no_answer_to_a_rotation_loses_a_value(bench: Bench, case: Case) -> None:
    odd = arranged(bench, case)

    told = bench.rotate()

    event(told.token["state"])
    assert bench.posts["rotate"] == 1
    must_hold(bench, case, odd, told)
    if case.refuses:
        assert told.token["state"] == "unchanged"
    if case.answers(bench.token.token) or (case.lists and not case.refuses):
        assert told.token["state"] == "rotated"
    if told.token["state"] in {"lost", "unknown"}:
        must_be_found_out(bench, case, odd)


def must_be_found_out(bench: Bench, case: Case, odd: Odd) -> None:
    """The same command again, first with Credly as odd as before, and then when it answers as it should."""
    new = bench.token.token
    must_hold(bench, case, odd, bench.rotate())
    odd.form = odd.breaks = None
    odd.old_value, odd.listing = OLD[0], "the value"

    told = bench.rotate()

    assert bench.token.token == new, "the old value is dead: nothing can be rotated with it"
    if case.fallback:
        assert bench.store.read_text() == new
    elif bench.store.read_text() != new:
        assert told.token["state"] == "lost"


@given(CREATIONS)
@example(Case("words: one word"))
@example(Case("a value that is refused", own_listing="words: one word", fallback=True, listing="the value"))
@tried
def test_no_answer_to_a_creation_spoils_what_was_stored(bench: Bench, case: Case) -> None:
    odd = arranged(bench, case)
    before = bench.acme.tokens[1].token
    store = bench.folder / "stores" / "new"
    store.write_text(before)

    told = bench.create("--fail-on", "never")

    event(told.token["state"])
    state, stored = told.token["state"], store.read_text()
    new = odd.token.token if odd.token else None
    assert bench.posts["create"] == 1
    assert bench.leaks() == []
    assert (stored, journals(bench)) == (new, []) if state == "created" else stored == before
    if new is None:
        assert (state, journals(bench)) == ("unchanged", [])
    elif case.answers(new) or case.own_listing == "the value" or case.lists:
        assert state == "created"
    else:
        assert (told.code, state) == (3, "lost")
        assert not case.fallback or "second" in odd.asked
        assert journals(bench)


def odd_credly(bench: Bench, **case: Any) -> Odd:
    """A Credly that is as odd as that."""
    return arranged(bench, Case(**case))


def test_the_value_of_another_token_is_not_taken_for_the_new_one(bench: Bench) -> None:
    odd = odd_credly(bench, form="as documented", fallback=True, listing="the value")
    odd.form = row(token=bench.acme.tokens[1].token)

    assert bench.rotate().token["state"] == "rotated"
    assert bench.store.read_text() == bench.token.token


def test_a_kept_value_is_stored_by_the_next_run_though_the_old_one_still_answers(bench: Bench) -> None:
    odd_credly(bench, form="as it should be", old_value="still answers")
    kept = ("--read-back", "file:stores/kept")
    assert bench.rotate("--store", bench.failing(2, 3, 4), *kept).token["state"] == "emergency"

    told = bench.rotate("--store", bench.failing(), *kept)

    assert (told.token["state"], told.token["old_value"]) == ("rotated", "alive")
    assert (bench.folder / "stores" / "kept").read_text() == bench.token.token
    assert bench.posts["rotate"] == 1


def test_a_rotation_in_doubt_is_settled_when_the_old_value_still_answers_a_day_later(bench: Bench) -> None:
    bench.sandbox.faults = ["lost-before@rotate"]
    assert bench.rotate().token["state"] == "unknown"
    [journal] = bench.emergency.glob("*.json")
    bench.sandbox.faults = []
    not_due = ("--due", "1d")

    assert bench.rotate(*not_due).report["left_behind"][0]["journal"] == str(journal)

    written = json.loads(journal.read_text())
    journal.write_text(json.dumps(written | {"started_at": "2026-01-01T00:00:00+00:00"}))
    assert bench.rotate(*not_due).report["left_behind"] == []
    assert list(bench.emergency.iterdir()) == []


def test_a_value_that_nobody_can_tell_from_words_is_kept_and_not_stored(bench: Bench) -> None:
    odd = odd_credly(bench, form="words: one word")
    bench.token.then = lambda: setattr(bench.sandbox, "faults", ["status=503@list"])
    old = bench.store.read_text()

    told = bench.rotate()

    assert (told.code, told.token["state"]) == (3, "unknown")
    assert bench.store.read_text() == old
    assert bench.copies == [WORDS["one word"]]
    bench.sandbox.faults = []
    odd.form = None
    assert bench.rotate().token["state"] == "lost"

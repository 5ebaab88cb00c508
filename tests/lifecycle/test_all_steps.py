"""Fifty tokens of ten organizations, with a fault at every step in turn: after each, nothing is lost unsaid."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from credly_audit.sandbox.world import SandboxOrganization, Token
from tests.lifecycle.conftest import Bench, MakeBench, Told, Watched, watched

ORGANIZATIONS, TOKENS = 10, 5

KEPT = "stores/kept"


@dataclass(frozen=True)
class Step:
    """What goes wrong: at the sandbox, and in a store that fails the n-th time that it is called."""

    name: str
    faults: tuple[str, ...] = ()
    fails: tuple[int, ...] = ()
    elsewhere: bool = False
    """The store takes the new value to where nobody reads it."""
    then: bool = False


STEPS = [
    Step("nothing"),
    Step("the look before", ("status=503@list",)),
    Step("the look before is refused", ("status=401@list",)),
    Step("the trial of the store", fails=(1,)),
    *(
        Step(f"the POST: {fault}", (f"{fault}@post",))
        for fault in (
            *("lost-before", "lost-after", "reset", "stall", "stall-after", "cut", "html", "forbidden-html"),
            *("redirect=http://127.0.0.1:9/", "empty-401", "status=401", "status=403", "status=422", "status=429"),
            *("status=500", "status=503", "status-after=500", "status-after=401", "no-token-in-answer", "masked"),
        )
    ),
    Step("the answer and the listing lack it", ("no-token-in-answer", "masked=stars@list+2")),
    Step("the store, once", fails=(2,)),
    Step("the store", fails=(2, 3, 4)),
    Step("the place where it should be read", elsewhere=True),
    Step("the proof", ("status=503@list+2",)),
    Step("the proof is refused", ("status=401@list+2",)),
    Step("nobody answers any more", ("lost-after@post", "status=503@list+2")),
    Step("what comes then", then=True),
]


def in_turn(bench: Bench) -> Iterator[tuple[SandboxOrganization, int, Step]]:
    """Each token and what goes wrong with it."""
    every = [(each, number) for number in range(TOKENS) for each in bench.sandbox.world.organizations]
    steps = islice(cycle(STEPS), len(every))
    return ((each, number, step) for (each, number), step in zip(every, steps, strict=True))


def arranged(bench: Bench, step: Step, *, has_trial: bool) -> tuple[object, ...]:
    """The options for a step, after the sandbox has got its faults; the trial is the store's first call."""
    bench.sandbox.faults = step.faults
    for name in ("calls", KEPT):
        (bench.folder / name).unlink(missing_ok=True)
    store = bench.failing(*(call if has_trial else call - 1 for call in step.fails), file=KEPT)
    if step.elsewhere:
        is_trial = f"[ ! -e {KEPT} ]" if has_trial else "false"
        bench.program("keep", f"if {is_trial}; then cat > {KEPT}; else cat > stores/elsewhere; fi")
    then = bench.program("restart", "exit 5" if step.then else "exit 0")
    return ("--store", store, "--read-back", f"file:{KEPT}", "--then", then)


def kept(bench: Bench) -> str | None:
    path = bench.folder / KEPT
    return path.read_text() if path.exists() else None


def must_be_safe(told: Told, token: Token, whose: SandboxOrganization, working: str | None) -> None:
    """The store holds a working value, or a file does that is named, or the person knows which token to mend where."""
    if working == token.token:
        assert told.token["state"] in {"rotated", "created", "unchanged", "unknown", "lost"}
        return
    assert told.code == 3
    named = told.token["emergency_file"]
    if told.token["state"] == "emergency":
        assert Path(named).read_text() == token.token
        assert named in told.words
        return
    assert told.token["state"] in {"lost", "unknown"}
    assert told.token["organization_id"] == whose.id
    assert told.token["token_id"] in {token.id, None}
    assert "web page" in told.words or "run the same command" in told.words


def posts(bench: Bench, run: Callable[[], Told]) -> tuple[Told, int]:
    """What a command said, and how many POSTs it made."""
    before = sum(bench.posts.values())
    told = run()
    return told, sum(bench.posts.values()) - before


def test_fifty_tokens_are_rotated_with_a_fault_at_every_step_in_turn(make_bench: MakeBench) -> None:
    bench = make_bench(ORGANIZATIONS, TOKENS)
    states = []
    for whose, number, step in in_turn(bench):
        token = watched(whose.tokens[number])
        credential = ("--credential", f"file:secrets/{whose.name}-{number}")
        command = (*credential, *arranged(bench, step, has_trial=True))

        told, many = posts(bench, lambda: bench.rotate(*command, organization=whose))  # noqa: B023 - run at once

        assert many <= 1, step
        states.append("refused" if told.code == 2 else told.token["state"])
        if many == 0:
            assert len(token.history) == 1, step
            assert kept(bench) in {None, token.token}
        else:
            must_be_safe(told, token, whose, kept(bench))

        must_end_well(bench, command, whose, token, step)
    assert set(states) >= {"rotated", "unchanged", "emergency", "lost", "unknown", "refused"}


def must_end_well(
    bench: Bench, command: tuple[object, ...], whose: SandboxOrganization, token: Watched, step: Step
) -> None:
    """The same command again, when what was wrong is remediated: it finishes, or rotates anew, or says what is lost."""
    bench.sandbox.faults = ()
    if step.elsewhere:
        bench.failing(file=KEPT)
    was = token.token

    told, many = posts(bench, lambda: bench.rotate(*command, organization=whose))

    if told.code == 2:
        assert kept(bench) == token.token == was, f"{step}: the store has the new value, the credential the old one"
    elif told.token["state"] == "lost":
        assert (many, token.token) == (0, was), step
        assert "web page" in told.words
    else:
        assert told.token["state"] == "rotated", step
        assert kept(bench) == token.token
        assert (token.token == was) is (many == 0)


def test_fifty_tokens_are_made_with_a_fault_at_every_step_in_turn(make_bench: MakeBench) -> None:
    bench = make_bench(ORGANIZATIONS, 2)
    states = []
    for number, (whose, _, step) in enumerate(in_turn(bench)):
        before = [token.id for token in whose.tokens]
        create = (
            *arranged(bench, step, has_trial=False),
            "--description",
            f"Badge sync number {number} of team CRM",
            "--fail-on",
            "never",
        )

        told, many = posts(bench, lambda: bench.create(*create, organization=whose))  # noqa: B023 - run at once

        assert many <= 1, step
        new = [token for token in whose.tokens if token.id not in before]
        assert len(new) <= many, step
        if new:
            must_be_safe(told, new[0], whose, kept(bench))
        elif told.code != 2:
            assert told.token["state"] in {"unchanged", "unknown"}, step
        states.append("refused" if told.code == 2 else told.token["state"])
    assert set(states) >= {"created", "unchanged", "emergency", "lost", "unknown"}

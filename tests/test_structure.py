"""`make structure` measures what it says."""

import ast
import re

import pytest

from tests.structure import find_functions, find_longest_chain, main


def test_it_prints_a_line_a_measure_with_its_figure_and_aim(capsys: pytest.CaptureFixture[str]) -> None:
    main()

    lines = capsys.readouterr().out.splitlines()
    measures = [re.fullmatch(r"(\S.*?) {2,}([\d,]+(?: %)?) {3}aim (.+)", line) for line in lines]
    assert all(measures)
    assert len({each[1] for each in measures if each}) == len(lines) > 5
    assert all(int(re.sub(r"\D", "", each[2])) > 0 for each in measures if each and each[3] != "0")


def test_the_longest_chain_goes_through_every_link() -> None:
    assert find_longest_chain({("cli", "audit"), ("audit", "rules"), ("cli", "rules"), ("rules", "errors")}) == 4


def test_imports_in_a_circle_have_no_longest_chain() -> None:
    assert find_longest_chain({("cli", "audit"), ("audit", "cli")}) == -1


def test_properties_dunders_commands_and_rules_need_no_verb() -> None:
    source = """
class Audit:
    def __len__(self): ...
    @property
    def total(self): ...
    @functools.cached_property
    def median(self): ...
    def apply(self): ...
@click.command("run")
def run(): ...
@rule("EXP001", "x")
def token_expired(): ...
def read_file():
    def inner(): ...
"""
    assert sorted(find_functions(ast.parse(source))) == ["apply", "inner", "read_file"]

"""One table of columns a subject: what its fields take does not depend on how the rows are cut."""

from typing import Any

import numpy as np
import pytest

from credly_audit.renderers.html.check_templates import full
from credly_audit.report.columns import (
    APPLICATION,
    FINDING,
    ORGANIZATION,
    TOKEN,
    ApplicationRows,
    Field,
    FindingRows,
    OrganizationRows,
    TokenRows,
    list_values,
)
from credly_audit.report.counts import SubjectCounts

SUBJECTS = {
    "tokens": (TOKEN, TokenRows),
    "findings": (FINDING, FindingRows),
    "organizations": (ORGANIZATION, OrganizationRows),
    "applications": (APPLICATION, ApplicationRows),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_names_and_headings_are_unique(subject: str) -> None:
    fields: tuple[Field, ...] = SUBJECTS[subject][0]
    for names in ([field.name for field in fields], [field.heading for field in fields if field.heading]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_field_takes_the_same_from_a_part_as_from_all(subject: str) -> None:
    fields, part = SUBJECTS[subject]
    counts = SubjectCounts(full())
    everything = part(counts, slice(None))
    backwards = np.arange(len(everything.frame))[::-1]
    for field in fields:
        values = taken(field, everything)
        assert len(values) == len(everything.frame) > 1
        assert taken(field, part(counts, slice(0, 1))) == values[:1]
        assert taken(field, part(counts, slice(1, None))) == values[1:]
        assert taken(field, part(counts, backwards)) == values[::-1]


def taken(field: Field, part: Any) -> list[Any]:
    return list(list_values(field.take(part)))

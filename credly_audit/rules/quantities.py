"""Numbers that an option of a rule or a setting may hold, so bounded that what is calculated from them is finite."""

from typing import Annotated

from pydantic import AfterValidator, Field

from credly_audit.instants import MOST_DAYS

MOST_SECONDS = 604_800
"""A week: twice that still fits into what a socket takes for a timeout."""

Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
DaysOrNone = Annotated[int, Field(ge=0, le=MOST_DAYS)]
"""0: without a limit."""

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]

Seconds = Annotated[float, Field(ge=0.001, le=MOST_SECONDS)]


def _is_rate(rate: float) -> float:
    if rate != 0 and not 0.001 <= rate <= 1_000_000:  # noqa: PLR2004 - a request in a quarter of an hour
        raise ValueError("must be 0 (no limit), or between 0.001 and 1000000")
    return rate


Rate = Annotated[float, Field(ge=0), AfterValidator(_is_rate)]
"""So many a second; 0: without a limit."""

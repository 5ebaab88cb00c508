"""How facts read in every report, and how hostile text is made harmless: once a medium, here.

Descriptions and names come from people who can write in Credly: they can hold markup, formulas, terminal sequences and
characters that turn the direction of reading.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

NOTHING = "–"

CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""Control characters other than tab and line feed, other ends of line, and what turns the direction of reading."""

FORMULA = re.compile(r"(^|[;\t])((?:[^\S\t]|\")*)(?=[=+\-@|%＝＋－＠])")  # noqa: RUF001 - spreadsheets take the wide ones too
"""Where a spreadsheet could begin a formula: also after `;` and tab, which some countries' take for the separator."""

MARKUP = re.compile(r"[!#$&*<=>@\[\\\]^_`{|}~]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
"""What Markdown, tables, links and mathematics are made of."""

MENTION = re.compile(r"(?<!\w)[@#](?=\w)")

REACHES = re.compile(r"(?<!\w)[@#](?=\w)|<(?=[!@#/\w])|\](?=[(\[])|:(?=//)|www(?=\.)", re.IGNORECASE)
"""What a chat or a mail reader makes into a mention or a link, even in plain text."""


def harmless(text: str) -> str:
    """The text with its control and direction characters shown as `·`, fit for XML and for a person's eye."""
    return CONTROL.sub("·", text)


def inert_line(text: str) -> str:
    """Return the text without anything that a terminal obeys or that begins another line."""
    return harmless(text).replace("\n", "·").replace("\t", " ")


def inert_json(text: str) -> str:
    """Return JSON in which the characters that `harmless` replaces are escaped: it holds the same values."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str, most: int = 200) -> str:
    """Return the text on one line, harmless on a terminal, cut to `most` characters; no mail address is cut in two."""
    line = " ".join(harmless(text).split())
    if len(line) <= most:
        return line
    kept = line[: most - 1]
    start = kept.rfind(" ") + 1
    is_address = "@" in line[start:].split(" ", 1)[0]
    return (kept[:start] if is_address and start else kept) + "…"


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, cut to what a cell holds (32,767 characters)."""
    safe = harmless(text)
    return ("'" + safe if safe.lstrip().startswith(("=", "+", "-", "@", "\t")) else safe)[:32_767]


def csv_field(text: str) -> str:
    """A text on one line that no spreadsheet takes for a formula, whatever it takes for the separator."""
    return FORMULA.sub(r"\1'\2", harmless(text).replace("\n", " "))


def markdown(text: str, most: int = 500) -> str:
    """A text on one line as plain words of GitHub's Markdown: nothing in it is markup, a link or a mention."""
    unmentioned = MENTION.sub(lambda at: at[0] + "\u2060", one_line(text, most))
    return MARKUP.sub(lambda mark: f"&#{ord(mark[0])};", unmentioned)


def message(text: str, most: int = 200) -> str:
    """A text on one line of a mail or a chat message: it mentions nobody, and nothing in it is a link."""
    return REACHES.sub(lambda mark: mark[0] + "\u2060", one_line(text, most))


def workflow_message(text: str) -> str:
    """A text as the message of a GitHub workflow command."""
    return harmless(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """A text as a property of a GitHub workflow command."""
    return workflow_message(text).replace(":", "%3A").replace(",", "%2C")


def sarif(text: str) -> str:
    """A text as plain words of a SARIF message: no link (`[…](…)`) and no placeholder (`{0}`) in it."""
    escaped = re.sub(r"([\\\[\]])", r"\\\1", harmless(text))
    return escaped.replace("{", "{{").replace("}", "}}")


def instant(when: datetime) -> str:
    """`2026-11-29T00:00:00Z`: for machines."""
    return when.isoformat().replace("+00:00", "Z")


def spoken_day(day: date) -> str:
    """Return a day for people: `29 Nov 2026`."""
    return f"{day.day} {day:%b %Y}"


def spoken(instant: datetime | None, as_of: datetime) -> str:
    """`29 Nov 2026 (in 6 days)`, `–` where there is none."""
    if instant is None:
        return NOTHING
    return f"{spoken_day(instant)} ({distance(instant, as_of)})"


def distance(instant: datetime, as_of: datetime) -> str:
    """`in 6 days`, `within a day`, `11 days ago`: whole days, cut towards zero."""
    days = int((instant - as_of).total_seconds() / 86_400)
    if days == 0:
        return "within a day"
    many = count(abs(days), "day", "days")
    return f"in {many}" if days > 0 else f"{many} ago"


def number(value: float) -> str:
    """Return a number as every report shows it: `1,234`."""
    return f"{value:,}"


def count(many: int, one: str, more: str) -> str:
    """Return a number with its noun: `1 token`, `1,234 tokens`."""
    return f"{number(many)} {one if many == 1 else more}"


def yes_no(value: Any) -> str:
    """`yes`, `no`, and `–` for what is not known."""
    return NOTHING if value is None else "yes" if value else "no"


def describe_value(value: Any) -> str:
    """Return a value of a finding's evidence for people."""
    if isinstance(value, datetime):
        return f"{value.isoformat(' ', 'minutes').removesuffix('+00:00')} UTC"
    return yes_no(value) if isinstance(value, bool) else str(value)


def called(description: str | None, organization: str, fingerprint: str | None) -> str:
    """How a token is called: its description in quotes, its organization, the first 8 digits of its fingerprint."""
    words = one_line(description or "", 80)
    name = f"“{words}”" if has_words(words) else "token without description"
    digits = f", {fingerprint[:8]}" if fingerprint else ""
    return f"{name} ({one_line(organization, 60)}{digits})"


def subject(finding: Mapping[str, Any]) -> str:
    """How the token, or the organization, of a finding is called."""
    if finding["token_id"] is None:
        return one_line(finding["organization_name"], 60)
    return called(finding["description"], finding["organization_name"], finding["fingerprint"])


def has_words(text: str) -> bool:
    """Whether a text shows anything to a reader."""
    return any(unicodedata.category(letter) not in {"Cf", "Cc", "Zs", "Zl", "Zp", "Mn"} for letter in text)


def fold(text: str) -> str:
    """Return a text for comparing without regard to case: `GRÖSSE` and a decomposed `Größe` become one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def in_columns(heads: Sequence[str], table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table as lines: text is aligned left, numbers right."""
    widths = [max(map(len, column)) for column in zip(heads, *table, strict=True)]
    numbers = [all(each.isdecimal() for each in column) for column in zip(*table, strict=True)]
    for line in (heads, *table):
        cells = (
            each.rjust(width) if right else each.ljust(width)
            for each, width, right in zip(line, widths, numbers, strict=True)
        )
        yield "  ".join(cells).rstrip()

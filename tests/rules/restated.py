"""Every rule's definition again, in plain words and one row at a time: what the vectorised rules are held against.

Each function takes the tokens of all organizations as dictionaries (and the organizations) and returns what it flags:
{(token's position or None, organization's position): severity}.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from tests import build
from tests.build import ACME, AS_OF, BETA

Row = dict[str, Any]
Flagged = dict[tuple[int | None, int], str]

DAY = timedelta(days=1)
NEXT_AUDIT = 35 * DAY
PLACEHOLDERS = {"test", "testing", "token", "new token", "api token", "a new token for use", "default", "temp", "tmp"}
PLACEHOLDERS |= {"todo", "tbd", "n/a", "none", "null", "asdf", "foo", "bar", "example", "untitled"}
PURPOSES = [("(?i)report|dashboard", {"read"}), ("(?i)issuer", {"read", "write"})]
REGISTER: list[Row] = [
    {"organization_id": ACME, "token_id": build.token(0)["token_id"], "permissions": "read", "owner": "Ada"},
    {
        "organization_id": ACME,
        "token_id": build.token(1)["token_id"],
        "permissions": "read+write",
        "review_by": "2026-11-22",
    },
    {"organization_id": ACME, "token_id": build.token(2)["token_id"], "permissions": "read+write+delete"},
    {"organization_id": ACME, "fingerprint": "a" * 16, "permissions": "read+write", "review_by": "2026-11-23"},
    {"organization_id": BETA, "token_id": build.token(0)["token_id"], "permissions": "none"},
    {"organization_id": BETA, "fingerprint": "b" * 16, "permissions": "read, write and delete"},
    {"organization_id": "00000000-0000-4000-8000-0000000000ff", "fingerprint": "c" * 16, "permissions": "read"},
]
WAIVERS: list[Row] = [
    build.waiver("DOC", id="doc", expires=date(2026, 11, 22)),
    build.waiver("PRM002", BETA, id="delete", expires=date(2026, 11, 22)),
    build.waiver(
        "EXP", id="token", token=build.token(1)["token_id"], expires=date(2026, 1, 1), approved_on=date(2025, 12, 1)
    ),
    build.waiver("DOC002", id="still", expires=date(2026, 11, 23)),
]
YEAR = re.compile(r"(?<![\w-])(?:19|20)[0-9]{2}(?![\w-])", re.ASCII)


def invisible(text: str | None) -> bool:
    return text is None or all(c.isspace() or unicodedata.category(c) in {"Cf", "Cc", "Zs", "Mn"} for c in text)


def expired(token: Row) -> bool:
    return token["expires_at"] is not None and token["expires_at"] <= AS_OF


def may(token: Row) -> set[str]:
    return {name for name in ("read", "write", "delete") if token[f"{name}_enabled"]}


def could(token: Row) -> set[str]:
    return {name for name in ("read", "write", "delete") if token[f"{name}_enabled"] is not False}


def matching(token: Row) -> list[set[str]]:
    text = token["description"]
    return [allow for pattern, allow in PURPOSES if text is not None and re.search(pattern, text)]


def entry(token: Row) -> Row | None:
    """Its entry in the register: by its id, else by its fingerprint."""
    theirs = [each for each in REGISTER if each["organization_id"] == token["organization_id"]]
    by_id = [each for each in theirs if each.get("token_id") == token["token_id"]]
    by_value = [each for each in theirs if each.get("fingerprint") == token["fingerprint"] is not None]
    return next(iter(by_id + by_value), None)


def allowed(entry: Row) -> set[str]:
    return {name for name in ("read", "write", "delete") if name in entry["permissions"]}


def to_be_reviewed(entry: Row) -> bool:
    return entry.get("review_by") == "2026-11-22"


def approved(token: Row) -> bool:
    documented = entry(token)
    if documented and not to_be_reviewed(documented) and could(token) <= allowed(documented):
        return True
    return any(could(token) <= allow for allow in matching(token))


def seen_to_change(token: Row) -> datetime | None:
    """When an audit first saw this fingerprint, where an earlier one saw another."""
    before = token.get("before")
    if not before or before["other_key"] or not before["fingerprint"] or not token["fingerprint"]:
        return None
    if before["fingerprint"] == token["fingerprint"]:
        return before["rotated_at"]
    inferred = token["expires_at"] and token["expires_at"] - 180 * DAY
    return inferred if inferred and before["seen_at"] <= inferred <= AS_OF else AS_OF


def rotated(token: Row) -> datetime | None:
    if seen := seen_to_change(token):
        return seen
    created, expires = token["created_at"], token["expires_at"]
    if created and expires and created + DAY < expires - 180 * DAY <= AS_OF:
        return expires - 180 * DAY
    return created


def placeholder(token: Row) -> bool:
    words = " ".join(token["description"].lower().split())
    while words and words not in PLACEHOLDERS and unicodedata.category(words[-1])[0] in "NPSZ":
        words = words[:-1]
    return words in PLACEHOLDERS


def per_token(judge: Callable[[Row], str | bool | None], *, all_tokens: bool = False) -> Callable[..., Flagged]:
    def flagged(tokens: list[Row], organizations: list[Row]) -> Flagged:
        places = [row["organization_id"] for row in organizations]
        found = {}
        for position, token in enumerate(tokens):
            severity = judge(token) if all_tokens or not expired(token) else None
            if severity:
                found[position, places.index(token["organization_id"])] = severity
        return found

    return flagged


def per_organization(judge: Callable[[list[Row], Row], str | bool | None]) -> Callable[..., Flagged]:
    def flagged(tokens: list[Row], organizations: list[Row]) -> Flagged:
        found = {}
        for place, row in enumerate(organizations):
            its = [each for each in tokens if each["organization_id"] == row["organization_id"] and not expired(each)]
            severity = judge(its, row)
            if severity:
                found[None, place] = severity
        return found

    return flagged


def exp001(token: Row) -> str | None:
    if not expired(token):
        return None
    return "high" if AS_OF - token["expires_at"] <= NEXT_AUDIT else "medium"


def exp002(token: Row) -> str | None:
    ahead = token["expires_at"] - AS_OF if token["expires_at"] else None
    if ahead is None or ahead > 60 * DAY:
        return None
    return "critical" if ahead <= 7 * DAY else "high" if ahead <= NEXT_AUDIT else "medium"


def exp003(token: Row) -> str | None:
    return "high" if token["expires_at"] is None and "expires_at" not in (token["date_faults"] or "") else None


def exp004(token: Row) -> str | None:
    return "high" if token["expires_at"] and token["expires_at"] - AS_OF > 181 * DAY else None


def exp005(token: Row) -> str | None:
    return "medium" if rotated(token) and AS_OF - rotated(token) > 180 * DAY else None


def exp006(token: Row) -> str | None:
    created, expires = token["created_at"], token["expires_at"]
    ahead = created and created > AS_OF + DAY
    backwards = created and expires and expires <= created
    return "medium" if ahead or backwards or token["date_faults"] else None


def prm001(token: Row) -> str | None:
    return "high" if may(token) == {"read", "write", "delete"} and not approved(token) else None


def prm002(token: Row) -> str | None:
    return "medium" if "delete" in may(token) and len(may(token)) < 3 and not approved(token) else None


def prm003(token: Row) -> str | None:
    return "low" if "write" in may(token) and "delete" not in may(token) and not approved(token) else None


def prm004(token: Row) -> str | None:
    if approved(token):
        return None
    allowances = matching(token)
    return "high" if allowances and not any(may(token) <= allow for allow in allowances) else None


def prm005(token: Row) -> str | None:
    return "low" if not could(token) else None


def superseded(token: Row) -> bool:
    """Whether it is listed beside its successor."""
    return token.get("succession") is not None and token["succession"]["successor"] is not None


def lif001(tokens: list[Row], organizations: list[Row]) -> Flagged:
    places = [row["organization_id"] for row in organizations]
    return {
        (position, places.index(token["organization_id"])): "high"
        for position, token in enumerate(tokens)
        if (said := token.get("succession")) and said["confirmed_at"] and AS_OF - said["confirmed_at"] > 14 * DAY
    }


def lif002(tokens: list[Row], organizations: list[Row]) -> Flagged:
    places = [row["organization_id"] for row in organizations]
    found: Flagged = {}
    for position, token in enumerate(tokens):
        said = token.get("succession")
        if said and not said["confirmed_at"] and (said["due_at"] <= AS_OF or expired(token)):
            row = position if said["successor"] is None else said["successor"]
            found[row, places.index(token["organization_id"])] = "medium"
    return found


def prm006(tokens: list[Row], _: Row) -> str | None:
    counted = [token for token in tokens if not superseded(token)]
    privileged = [token for token in counted if may(token) & {"write", "delete"} and not approved(token)]
    return "medium" if len(privileged) > 3 else None


def prm007(token: Row) -> str | None:
    return "low" if may(token) != could(token) else None


def doc001(token: Row) -> str | None:
    if not invisible(token["description"]):
        return None
    return "high" if may(token) & {"write", "delete"} else "medium"


def doc002(token: Row) -> str | None:
    return "low" if not invisible(token["description"]) and placeholder(token) else None


def doc003(token: Row) -> str | None:
    if invisible(token["description"]) or placeholder(token):
        return None
    text = token["description"].strip()
    unspaced = any("一" <= letter <= "鿿" or "ก" <= letter <= "๛" or "ぁ" <= letter <= "ヿ" for letter in text)
    return "low" if len(text) < 10 or (len(text.split()) < 2 and not unspaced) else None


def doc004(token: Row) -> str | None:
    text = token["description"]
    return "medium" if not invisible(text) and not re.search("team", text) else None


def doc005(tokens: list[Row], organizations: list[Row]) -> Flagged:
    def key(token: Row) -> tuple[str, str]:
        return token["organization_id"], " ".join(token["description"].lower().split())

    counted = [token for token in tokens if not expired(token) and not superseded(token)]
    described = [token for token in counted if not invisible(token["description"])]
    many = Counter(key(token) for token in described)

    def shared(token: Row) -> str | None:
        alike = not superseded(token) and not invisible(token["description"]) and many[key(token)] > 1
        return "low" if alike else None

    return per_token(shared)(tokens, organizations)


def doc006(token: Row) -> str | None:
    return "critical" if (token["secrets_in_description"] or 0) > 0 else None


def doc007(token: Row) -> str | None:
    years = [int(year) for year in YEAR.findall(token["description"] or "")]
    return "low" if years and rotated(token) and max(years) < rotated(token).year else None


def inv001(tokens: list[Row], _: Row) -> str | None:
    return "low" if sum(not superseded(token) for token in tokens) > 10 else None


def inv002(tokens: list[Row], organizations: list[Row]) -> Flagged:
    many = Counter(token["fingerprint"] for token in tokens if token["fingerprint"])
    shared = per_token(lambda token: "high" if many[token["fingerprint"]] > 1 else None, all_tokens=True)
    return shared(tokens, organizations)


def inv003(tokens: list[Row], organization: Row) -> str | None:
    if organization["status"] != "complete" or not tokens:
        return None
    return "medium" if all(each["expires_at"] and each["expires_at"] - AS_OF <= 14 * DAY for each in tokens) else None


def inv004(token: Row) -> str | None:
    return "high" if token["owner_id"] and token["owner_id"] != token["organization_id"] else None


def inv005(token: Row) -> str | None:
    return None if entry(token) else "high"


def inv006(tokens: list[Row], organizations: list[Row]) -> Flagged:
    def listed(entry: Row) -> bool:
        theirs = [each for each in tokens if each["organization_id"] == entry["organization_id"]]
        return any(
            each["token_id"] == entry.get("token_id") or each["fingerprint"] == entry.get("fingerprint", "")
            for each in theirs
        )

    gone = {each["organization_id"] for each in REGISTER if not listed(each)}
    return {
        (None, place): "low"
        for place, each in enumerate(organizations)
        if each["status"] == "complete" and each["organization_id"] in gone
    }


def inv007(token: Row) -> str | None:
    documented = entry(token)
    if documented is None:
        return None
    return "high" if to_be_reviewed(documented) or not may(token) <= allowed(documented) else None


def wvr001(tokens: list[Row], organizations: list[Row]) -> Flagged:
    """Each waiver past its date that covers what is there and what no other waiver covers now."""
    places = [row["organization_id"] for row in organizations]

    def covers(waiver: Row, rule_id: str, token: int | None, place: int) -> bool:
        named = waiver.get("token") is None or (token is not None and tokens[token]["token_id"] == waiver["token"])
        return rule_id.startswith(waiver["rule"]) and places[place] == waiver["organization"] and named

    present = [
        (rule_id, *subject)
        for rule_id, restated in RULES.items()
        if rule_id != "WVR001"
        for subject in restated(tokens, organizations)
    ]
    still = [each for each in WAIVERS if each["expires"] > date(2026, 11, 22)]
    open_ones = [each for each in present if not any(covers(waiver, *each) for waiver in still)]
    found: Flagged = {}
    for waiver in WAIVERS:
        if waiver not in still and any(covers(waiver, *each) for each in open_ones):
            place = places.index(waiver["organization"])
            token = [row for row, each in enumerate(tokens) if each["token_id"] == waiver.get("token")]
            found[token[0] if token else None, place] = "medium"
    return found


def status(wanted: str, severity: str) -> Callable[..., Flagged]:
    return per_organization(lambda _, organization: severity if organization["status"] == wanted else None)


def cov005(_: list[Row], organization: Row) -> str | None:
    expires = organization["credential_expires_at"]
    return "high" if expires and expires - AS_OF <= NEXT_AUDIT else None


def of_applications(judge: Callable[[Row], str | None]) -> Callable[..., Flagged]:
    """By the organizations' `applications`."""
    return per_organization(
        lambda _, organization: next((s for each in organization["applications"] if (s := judge(each))), None)
    )


def oau001(application: Row) -> str | None:
    return "high" if application["creator_available"] is False else None


def oau002(application: Row) -> str | None:
    return "medium" if invisible(application["description"]) or placeholder(application) else None


def oau003(application: Row) -> str | None:
    changed = application["updated_at"] or application["created_at"]
    return "medium" if changed is None or AS_OF - changed > 365 * DAY else None


def chg001(token: Row) -> str | None:
    before = token.get("before")
    gained = before and may(token) & before["denied"]
    return "high" if gained and not approved(token) else None


def chg002(token: Row) -> str | None:
    before = token.get("before")
    if not before or before["other_key"] or not token["fingerprint"] or token["fingerprint"] != before["fingerprint"]:
        return None
    now, then = token["expires_at"], before["expires_at"]
    return "medium" if now and then and now > then else None


def chg003(tokens: list[Row], organizations: list[Row]) -> Flagged:
    """Not there when its organization was last complete, nor at an audit since, and it can write or delete."""
    seen = {row["organization_id"]: row.get("fully_seen_before") for row in organizations}

    def judge(token: Row) -> str | None:
        before = token.get("before")
        strong = token["write_enabled"] or token["delete_enabled"]
        return "info" if seen[token["organization_id"]] and strong and (not before or before["gone"]) else None

    return per_token(judge)(tokens, organizations)


RULES: dict[str, Callable[..., Flagged]] = {
    "EXP001": per_token(exp001, all_tokens=True),
    "EXP002": per_token(exp002),
    "EXP003": per_token(exp003),
    "EXP004": per_token(exp004),
    "EXP005": per_token(exp005),
    "EXP006": per_token(exp006, all_tokens=True),
    "PRM001": per_token(prm001),
    "PRM002": per_token(prm002),
    "PRM003": per_token(prm003),
    "PRM004": per_token(prm004),
    "PRM005": per_token(prm005),
    "PRM006": per_organization(prm006),
    "PRM007": per_token(prm007),
    "DOC001": per_token(doc001),
    "DOC002": per_token(doc002),
    "DOC003": per_token(doc003),
    "DOC004": per_token(doc004),
    "DOC005": doc005,
    "DOC006": per_token(doc006, all_tokens=True),
    "DOC007": per_token(doc007),
    "INV001": per_organization(inv001),
    "INV002": inv002,
    "INV003": per_organization(inv003),
    "INV004": per_token(inv004),
    "INV005": per_token(inv005),
    "INV006": inv006,
    "INV007": per_token(inv007),
    "COV001": status("truncated", "high"),
    "COV002": status("unverified", "medium"),
    "COV003": status("mismatch", "high"),
    "COV004": status("failed", "high"),
    "COV005": per_organization(cov005),
    "OAU001": of_applications(oau001),
    "OAU002": of_applications(oau002),
    "OAU003": of_applications(oau003),
    "CHG001": per_token(chg001),
    "CHG002": per_token(chg002),
    "CHG003": chg003,
    "LIF001": lif001,
    "LIF002": lif002,
    "WVR001": wvr001,
}

"""The sheets Rules and controls, and Controls: what was judged by, how often it flagged, which evidence it supports."""

from collections.abc import Sequence

from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.sheet_list import Column, Link, Piece, SheetList
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import CONTROLS, FINDINGS, RULES, WorkbookReport
from credly_audit.report.counts import count_audit
from credly_audit.report.labels import describe_setting
from credly_audit.report.results import Result
from credly_audit.rules.controls import FRAMEWORK_NAMES, FRAMEWORKS, name_control
from credly_audit.rules.declare import FAMILIES, Rule

RESULT = ("Assessed", "Passed", "Failed", "Accepted", "Not assessed")

RULE_COLUMNS = (
    Column("Rule", "text", 28, narrowest=24),
    Column("Severity", "word", narrowest=12),
    Column("Open findings", "linked number", narrowest=12),
    *(Column(name, "number", narrowest=10) for name in RESULT),
    Column("Description", "text", 46),
    Column("Why it matters", "text", 60),
    Column("Remediation", "text", 46),
    Column("Enabled", "word", narrowest=12),
    Column("Severity logic", "text", 40, printed=False),
    Column("Options", "text", 50, printed=False),
    Column("Family", "word", 24, printed=False),
    *(Column(framework, "text", 24, narrowest=14, printed=False) for framework in FRAMEWORKS),
    Column("rule_id", "code", 12, printed=False),
)

CONTROL_COLUMNS = (
    Column("Framework", "text", 24, narrowest=20),
    Column("Control", "text", 44, narrowest=24),
    *(Column(name, "number", narrowest=10) for name in RESULT),
    Column("Open findings", "number", narrowest=12),
    Column("Rules", "number"),
    Column("Mapped rules", "text", 60),
)


def rules(report: WorkbookReport) -> SheetList:
    """The catalogue, disabled rules included."""
    catalogue = list(report.audit.rules.values())
    live = count_audit(report.audit)["by_rule"]
    results = report.results.rules
    first = report.standing.open.drop_duplicates("rule_id")
    places = dict(zip(first["rule_id"], first.index.tolist(), strict=True))

    def targets(start: int, stop: int) -> list[str | None]:
        return [
            report.place(FINDINGS, places[rule.id]) if rule.id in places else None for rule in catalogue[start:stop]
        ]

    def piece(start: int, stop: int) -> Piece:
        part = catalogue[start:stop]
        policy = report.audit.policy
        return {
            "Rule": [rule.name.replace("-", " ") for rule in part],
            "Severity": [SEVERITY_WORDS[policy.severity(rule) or rule.severity] for rule in part],
            "Open findings": [live.get(rule.id) for rule in part],
            **spread([results.get(rule.id) for rule in part]),
            "Description": [rule.summary for rule in part],
            "Why it matters": [rule.rationale for rule in part],
            "Remediation": [rule.remediation for rule in part],
            "Enabled": [_in_force(report, rule) for rule in part],
            "Severity logic": ["the policy" if policy.severity(rule) else rule.tiers or "the rule" for rule in part],
            "Options": [
                describe_setting(options)
                if (options := policy.effective_options(rule).model_dump(mode="json"))
                else None
                for rule in part
            ],
            "Family": [FAMILIES.get(rule.family, rule.family) for rule in part],
            **{name: [", ".join(rule.controls.get(name, ())) for rule in part] for name in FRAMEWORKS},
            "rule_id": [rule.id for rule in part],
        }

    return SheetList(
        title=RULES,
        table="Rules",
        columns=RULE_COLUMNS,
        many=len(catalogue),
        piece=piece,
        nothing="No rule was in the catalogue.",
        link=Link("Open findings", targets),
        emphasis=tuple(emphasis.severities("Severity")),
    )


def _in_force(report: WorkbookReport, rule: Rule) -> str:
    if rule.id in report.audit.broken:
        return "✕ broken"
    return "✓ yes" if report.audit.policy.enabled(rule) else "– disabled"


def controls(report: WorkbookReport) -> SheetList:
    """Return each control that an enabled rule is mapped to."""
    found = report.results.controls

    def piece(start: int, stop: int) -> Piece:
        part = found[start:stop]
        return {
            "Framework": [FRAMEWORK_NAMES.get(each.framework, each.framework) for each in part],
            "Control": [name_control(each.framework, each.control) for each in part],
            **spread([each.result for each in part]),
            "Open findings": [each.findings for each in part],
            "Rules": [len(each.rules) for each in part],
            "Mapped rules": [", ".join(each.rules) for each in part],
        }

    return SheetList(
        title=CONTROLS,
        table="Controls",
        columns=CONTROL_COLUMNS,
        many=len(found),
        piece=piece,
        nothing="No enabled rule is mapped to a control.",
    )


def spread(results: Sequence[Result | None]) -> dict[str, list[int | None]]:
    """Return the columns RESULT; empty cells for rules that are disabled."""
    rows = [None if each is None else list(each.as_dict().values()) for each in results]
    return {name: [None if row is None else row[place] for row in rows] for place, name in enumerate(RESULT)}

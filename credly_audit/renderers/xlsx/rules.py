"""The sheets Rules and controls, and Controls: what was judged by, how often it flagged, which evidence it supports."""

from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.report import CONTROLS, FINDINGS, RULES, Report
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.table import Column, Link, Listing, Piece
from credly_audit.report.counts import tally
from credly_audit.rules.controls import FRAMEWORKS
from credly_audit.rules.declare import FAMILIES, Rule

RULE_COLUMNS = (
    Column("Rule", "text", 28, narrowest=24),
    Column("Severity", "word", narrowest=12),
    Column("Open findings", "linked number", narrowest=12),
    Column("Waived", "number"),
    Column("What it flags", "text", 46),
    Column("Why it matters", "text", 60),
    Column("What to do", "text", 46),
    Column("In force", "word", narrowest=12),
    Column("Severity by", "text", 40, printed=False),
    Column("Options", "text", 50, printed=False),
    Column("Family", "word", 24, printed=False),
    *(Column(framework, "text", 24, narrowest=14, printed=False) for framework in FRAMEWORKS),
    Column("rule_id", "code", 12, printed=False),
)

CONTROL_COLUMNS = (
    Column("Framework", "text", 24, narrowest=20),
    Column("Control", "word", narrowest=16),
    Column("Open findings", "number", narrowest=12),
    Column("Rules", "number"),
    Column("Supported by", "text", 60),
)


def rules(report: Report) -> Listing:
    """The catalogue, disabled rules included."""
    catalogue = list(report.audit.rules.values())
    frame = report.audit.findings.frame
    live = tally(report.audit)["by_rule"]
    waived = frame.loc[frame["waived"].to_numpy(dtype=bool) & ~report.audit.findings.unseen, "rule_id"].value_counts()
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
            "Waived": [int(waived.get(rule.id, 0)) if rule.id in live else None for rule in part],
            "What it flags": [rule.summary for rule in part],
            "Why it matters": [rule.rationale for rule in part],
            "What to do": [rule.remediation for rule in part],
            "In force": [_in_force(report, rule) for rule in part],
            "Severity by": ["the policy" if policy.severity(rule) else rule.tiers or "the rule" for rule in part],
            "Options": [
                "; ".join(f"{name}: {value}" for name, value in policy.options(rule).model_dump(mode="json").items())
                for rule in part
            ],
            "Family": [FAMILIES.get(rule.family, rule.family) for rule in part],
            **{name: [", ".join(rule.controls.get(name, ())) for rule in part] for name in FRAMEWORKS},
            "rule_id": [rule.id for rule in part],
        }

    return Listing(
        title=RULES,
        table="Rules",
        columns=RULE_COLUMNS,
        many=len(catalogue),
        piece=piece,
        nothing="No rule was in the catalogue.",
        link=Link("Open findings", targets),
        emphasis=tuple(emphasis.severities("Severity")),
    )


def _in_force(report: Report, rule: Rule) -> str:
    if rule.id in report.audit.broken:
        return "✕ broken"
    return "✓ yes" if report.audit.policy.enabled(rule) else "– disabled"


def controls(report: Report) -> Listing:
    """Each control that some rule in force supports evidence for."""
    live = tally(report.audit)["by_rule"]
    supported: dict[tuple[str, str], list[str]] = {}
    for rule_id in live:
        for framework, ids in report.audit.rules[rule_id].controls.items():
            for control in ids:
                supported.setdefault((framework, control), []).append(rule_id)
    order = [key for framework in FRAMEWORKS for key in sorted(supported) if key[0] == framework]

    def piece(start: int, stop: int) -> Piece:
        part = order[start:stop]
        return {
            "Framework": [framework for framework, _ in part],
            "Control": [control for _, control in part],
            "Open findings": [sum(live[rule_id] for rule_id in supported[key]) for key in part],
            "Rules": [len(supported[key]) for key in part],
            "Supported by": [", ".join(supported[key]) for key in part],
        }

    return Listing(
        title=CONTROLS,
        table="Controls",
        columns=CONTROL_COLUMNS,
        many=len(order),
        piece=piece,
        nothing="No rule in force supports evidence for a control.",
        emphasis=(emphasis.bars("Open findings"),),
    )

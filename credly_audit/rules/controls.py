"""The controls that each theme of rules supports evidence for.

A report says 'supports evidence for', never 'complies with'.
"""

from collections.abc import Iterator, Mapping

Controls = Mapping[str, tuple[str, ...]]

FRAMEWORKS = (
    "OWASP NHI 2025",
    "NIST 800-53r5",
    "PCI DSS 4.0.1",
    "ISO 27001:2022",
    "CIS 8.1",
    "SOC 2",
    "NIST CSF 2.0",
)


def _theme(*cells: str) -> Controls:
    """A row of the table: the controls of each framework, separated by commas; an empty cell has none."""
    pairs = zip(FRAMEWORKS, cells, strict=True)
    return {framework: tuple(cell.split(", ")) for framework, cell in pairs if cell}


NO_CONTROLS: Controls = {}
EXPIRED = _theme("NHI1", "AC-2(3), IA-5", "8.6.3", "A.5.17, A.5.18", "6.2", "CC6.2", "PR.AA-01")
EXPIRING = _theme("", "IA-5", "8.6.3", "A.5.17", "", "CC6.2", "PR.AA-01")
OVERDUE = _theme("NHI7", "IA-5", "8.6.3", "A.5.17", "", "CC6.1", "PR.AA-01")
PERMISSIVE = _theme("NHI5", "AC-6, AC-6(5), AC-6(7)", "7.2.5, 7.2.5.1", "A.8.2, A.5.18", "6.8", "CC6.3", "PR.AA-05")
UNDOCUMENTED = _theme("NHI1", "AC-2, IA-4", "7.2.5, 8.2.4", "A.5.9, A.5.16", "5.5, 5.1", "CC6.1", "PR.AA-01")
SHARED = _theme("NHI9", "IA-9", "", "A.5.16, A.5.17", "", "CC6.1", "PR.AA-03")
MISPLACED = _theme("", "IA-9", "", "A.5.16", "", "CC6.1", "PR.AA-03")
LEAKED = _theme("NHI2", "IA-5(7)", "8.6.3", "A.5.17, A.8.12", "", "CC6.1", "PR.AA-01")
REVIEW = _theme("", "AC-6(7), CA-7", "7.2.5.1", "A.5.36", "5.1, 5.5", "CC4.1", "PR.AA-05")

FRAMEWORK_NAMES = {
    "OWASP NHI 2025": "OWASP NHI Top 10 (2025)",
    "NIST 800-53r5": "NIST SP 800-53 Rev. 5",
    "PCI DSS 4.0.1": "PCI DSS v4.0.1",
    "ISO 27001:2022": "ISO/IEC 27001:2022 Annex A",
    "CIS 8.1": "CIS Controls v8.1",
    "SOC 2": "SOC 2 (TSC)",
    "NIST CSF 2.0": "NIST CSF 2.0",
}
"""The frameworks' names as reports show them."""

CONTROL_TITLES = {
    "NHI1": "Improper offboarding",
    "NHI2": "Secret leakage",
    "NHI5": "Overprivileged NHI",
    "NHI7": "Long-lived secrets",
    "NHI9": "NHI reuse",
    "AC-2": "Account management",
    "AC-2(3)": "Disable accounts",
    "AC-6": "Least privilege",
    "AC-6(5)": "Privileged accounts",
    "AC-6(7)": "Review of user privileges",
    "CA-7": "Continuous monitoring",
    "IA-4": "Identifier management",
    "IA-5": "Authenticator management",
    "IA-5(7)": "No embedded unencrypted static authenticators",
    "IA-9": "Service identification and authentication",
    "7.2.5": "Access of application and system accounts",
    "7.2.5.1": "Periodic review of application and system accounts",
    "8.2.4": "Management of user IDs and authentication factors",
    "8.6.3": "Protection of application and system account secrets",
    "A.5.9": "Inventory of information and other associated assets",
    "A.5.16": "Identity management",
    "A.5.17": "Authentication information",
    "A.5.18": "Access rights",
    "A.5.36": "Compliance with policies, rules and standards for information security",
    "A.8.2": "Privileged access rights",
    "A.8.12": "Data leakage prevention",
    "5.1": "Establish and maintain an inventory of accounts",
    "5.5": "Establish and maintain an inventory of service accounts",
    "6.2": "Establish an access revoking process",
    "6.8": "Define and maintain role-based access control",
    "CC4.1": "Ongoing and separate evaluations",
    "CC6.1": "Logical access security",
    "CC6.2": "User registration and deprovisioning",
    "CC6.3": "Role-based access and least privilege",
    "PR.AA-01": "Identities and credentials are managed",
    "PR.AA-03": "Users, services and hardware are authenticated",
    "PR.AA-05": "Access permissions are managed",
}
"""The titles of the controls, shortened where the framework's own is a sentence."""


def describe_controls(controls: Controls) -> Iterator[str]:
    """Yield the controls of each framework in words: `SOC 2 (TSC): CC6.1 Logical access security`."""
    for framework, ids in controls.items():
        names = "; ".join(name_control(framework, control) for control in ids)
        yield f"{FRAMEWORK_NAMES.get(framework, framework)}: {names}"


def name_control(framework: str, control: str) -> str:
    """Return a control with its title, as `AC-6 Least privilege`; OWASP's with the year of the list."""
    number = f"{control}:2025" if framework == "OWASP NHI 2025" else control
    return f"{number} {CONTROL_TITLES[control]}" if control in CONTROL_TITLES else number

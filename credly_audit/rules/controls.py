"""The controls that each theme of rules supports evidence for.

A report says 'supports evidence for', never 'complies with'.
"""

from collections.abc import Mapping

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

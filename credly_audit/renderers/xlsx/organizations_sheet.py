"""The sheet Organizations: how completely each was collected, why, and its findings."""

from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.fields import make_cells, make_columns
from credly_audit.renderers.xlsx.sheet_list import SheetList
from credly_audit.renderers.xlsx.workbook_report import ORGANIZATIONS, WorkbookReport
from credly_audit.report.columns import ORGANIZATION, OrganizationRows


def organizations(report: WorkbookReport) -> SheetList:
    """Return every organization, the worst first."""
    order = report.standing.worst_first
    return SheetList(
        title=ORGANIZATIONS,
        table="Organizations",
        columns=make_columns(ORGANIZATION),
        many=len(report.audit.organizations),
        piece=lambda start, stop: make_cells(ORGANIZATION, OrganizationRows(report.standing, order[start:stop])),
        nothing="No organization was configured.",
        link=report.link_findings(report.worst_of_organizations[order]),
        emphasis=(*emphasis.coverage("Coverage"), emphasis.bars("Open findings")),
    )

"""The sheet OAuth applications: the other way into the API; only in a workbook that has any to show."""

from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.fields import make_cells, make_columns
from credly_audit.renderers.xlsx.sheet_list import SheetList
from credly_audit.renderers.xlsx.workbook_report import WorkbookReport
from credly_audit.report.columns import APPLICATION, ApplicationRows

TITLE = "OAuth applications"


def applications(report: WorkbookReport) -> SheetList:
    """Every OAuth application that was collected, in the order of the organizations."""
    return SheetList(
        title=TITLE,
        table="OAuthApplications",
        columns=make_columns(APPLICATION),
        many=len(report.audit.snapshot.applications),
        piece=lambda start, stop: make_cells(APPLICATION, ApplicationRows(report.standing, slice(start, stop))),
        nothing="No OAuth application was collected.",
        link=report.link_findings(report.standing.first_of_applications[1]),
        emphasis=tuple(emphasis.severities("Highest severity")),
    )

"""What people decided about findings: waivers and plans, and how they come back from a workbook."""

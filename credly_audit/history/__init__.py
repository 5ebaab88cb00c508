"""The history of audits: what changed, what was reopened, and how long remediation takes."""

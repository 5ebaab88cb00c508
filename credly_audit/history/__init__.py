"""The history of audits: what changed, what came back and how long things take to mend."""

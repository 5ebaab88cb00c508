"""`python -m credly_audit`."""

from credly_audit.cli.main import main

main()

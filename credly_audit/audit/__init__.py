"""Evaluate a snapshot: run rules, apply decisions, compare with earlier audits, enforce policy."""

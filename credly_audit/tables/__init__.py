"""Reads the tables that people keep: CSV files and workbooks, by whatever program they were saved."""

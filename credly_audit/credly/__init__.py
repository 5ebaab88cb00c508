"""Credly's web service API and nothing else: asking, credentials, pace, and what an answer means."""

"""A stand-in for Credly's web service API, its faults included, for dry runs, the demo and the tests."""

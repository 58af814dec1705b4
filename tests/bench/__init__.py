"""Benchmarks: how fast, against what. Run by hand (`python -m tests.bench [ROW...]`), never asserted in the suite."""

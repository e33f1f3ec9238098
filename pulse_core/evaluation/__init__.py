"""Evaluation: ranks, metrics with intervals, paired tests, and `hr1.json` with all it depends on."""

"""Evaluation: ranks, metrics with intervals, paired tests, floors, and `hr1.json` with all it depends on."""

"""Synthetic corpora with planted reasons: raw files that the pipeline cannot tell from a download."""

from pulse_core.data.synthetic.writer import generate_domain

__all__ = ["generate_domain"]

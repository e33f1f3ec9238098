"""Synthetic corpora with planted reasons, as raw files in the format of a published dump."""

from pulse_core.data.synthetic.writer import generate_domain

__all__ = ["generate_domain"]

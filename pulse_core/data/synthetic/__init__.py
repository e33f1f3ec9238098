"""Synthetic corpora with planted reasons, as raw files in the format of a published dump."""

"""Rationales: how histories and targets are told in words, and what the language model is asked about them."""

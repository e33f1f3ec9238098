"""Rationales: prompts about histories and targets, and the language model's answers."""

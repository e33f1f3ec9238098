"""Inputs, params and threads of the rules, computed while Snakemake reads the workflow."""

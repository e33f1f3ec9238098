"""The commands a user types: snakemake, pulse, and the tools behind `make`."""

"""One thin script a rule: reads what Snakemake hands over, calls pulse_core, writes files."""

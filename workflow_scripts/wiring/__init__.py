"""What the Snakefile and the rules ask while the workflow is put together."""

"""What a run will cost, before anything runs: prompts, tokens, time, disk, and whether each stage fits its card."""

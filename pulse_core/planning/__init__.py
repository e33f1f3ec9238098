"""What a run takes, before anything runs: prompts, tokens, time, disk, and whether each stage fits in memory."""

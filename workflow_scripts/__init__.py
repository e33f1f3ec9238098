"""One thin script per rule: reads the job's inputs, calls pulse_core, writes the outputs."""

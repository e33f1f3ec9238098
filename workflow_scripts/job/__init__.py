"""What surrounds a script's one call of pulse_core: log, threads, devices, processes. No artifact depends on it."""

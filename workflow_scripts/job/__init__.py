"""What a script's call of pulse_core runs in: log, threads, devices, processes. No artifact depends on it."""

"""Settings of the baselines, one module each so that an edit reruns only that baseline. None imports torch."""

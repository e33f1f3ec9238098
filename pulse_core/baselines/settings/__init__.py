"""Settings of the baselines, a module each, so that editing one reruns that baseline alone. No torch here."""

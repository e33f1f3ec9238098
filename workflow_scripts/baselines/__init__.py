"""One script per baseline, so that an edited module reruns only its own system."""

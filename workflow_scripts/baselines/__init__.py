"""The rules of the baselines, a script each, so that an edited module reruns its own system alone."""

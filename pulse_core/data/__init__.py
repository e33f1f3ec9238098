"""From raw review dumps to typed tables: download or generate, read, filter, split into examples."""

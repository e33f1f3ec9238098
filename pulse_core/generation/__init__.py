"""Text generation: one interface, `TextGenerator`, with engines behind it and a journal of finished requests."""

"""Text generation: engines behind one interface, `TextGenerator`, and a journal of finished requests."""

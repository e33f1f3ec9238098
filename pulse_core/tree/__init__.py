"""Tree of Thought: every node refines its parent's rationale (section 4.2)."""

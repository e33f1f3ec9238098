"""The Thought Space (paper, section 4.1): E1 for rationales and E2 for behaviour text, aligned by InfoNCE, Eq. (1)."""

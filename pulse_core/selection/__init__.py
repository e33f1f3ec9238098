"""Selection (paper, section 4.2, Eq. 2): of a tree's leaves, the one that agrees best with the user's behaviour."""

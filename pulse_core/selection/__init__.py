"""Selection (paper, section 4.2, Eq. 2): the leaf of a tree that agrees best with the user's behaviour."""

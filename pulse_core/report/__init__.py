"""What a person reads: the ending of a run, and sheets of rationales for reading by eye."""

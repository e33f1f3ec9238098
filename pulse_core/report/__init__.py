"""What people read: tables of all systems, the summary of a run, sheets of rationales."""

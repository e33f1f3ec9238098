"""What PULSE is measured against: the systems of the paper's Table 3 and floors, under one protocol."""

"""What several rule scripts share: reading their inputs, writing their outputs."""

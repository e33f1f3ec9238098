"""SASRec against the field: RecBole's and ours on the same sequences, split, loss and evaluation."""

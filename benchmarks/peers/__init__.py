"""RecBole's SASRec and ours on the same sequences, split, loss and evaluation."""

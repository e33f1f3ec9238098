"""SASRec and what is read off it: states, nearest users and their items, candidates, full ranking."""

"""The ranker f_phi(history, rationale, candidate): one logit a candidate, softmax over the ten (section 4.2, Eq. 3)."""

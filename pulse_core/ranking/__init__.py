"""The ranker f_phi(history, rationale, candidate): one logit per candidate, softmax over ten (section 4.2, Eq. 3)."""

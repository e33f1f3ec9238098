"""PULSE: Preference Understanding by Latent Semantic Embeddings (arXiv 2510.08626).

Data flows one way through the sub-packages, in the order of the paper:
data, sequence, generation, rationales, thought_space, tree, selection, ranking, evaluation, report.
"""

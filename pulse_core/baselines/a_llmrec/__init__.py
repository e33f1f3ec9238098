"""A-LLMRec (Kim et al. 2024, arXiv 2404.11343): a frozen language model reads collaborative embeddings."""

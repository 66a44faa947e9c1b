"""What is fitted and taught: the reranker, the support score, and the drafts that the checks are measured with."""

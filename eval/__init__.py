"""Questions with gold answers, and what measures the answers against them."""

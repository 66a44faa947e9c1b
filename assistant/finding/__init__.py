"""From a question to the sentences that may answer it, and how well the articles support it."""

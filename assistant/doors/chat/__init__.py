"""The chat page: Chainlit's, with our answers, sources and look. `app` alone imports Chainlit."""

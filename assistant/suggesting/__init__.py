"""Questions to ask next, each of them one that the articles answer."""

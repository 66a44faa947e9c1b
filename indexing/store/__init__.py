"""Where articles are kept: the catalog, which is the truth, and the vectors derived from it."""

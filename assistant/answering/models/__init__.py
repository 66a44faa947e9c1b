"""Chat models: which one a name means, how it is asked, and what can go wrong."""

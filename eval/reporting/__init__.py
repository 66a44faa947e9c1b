"""What a run found, for a terminal, CI and a browser."""

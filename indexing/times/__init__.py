"""Days and spans that sentences name, resolved against their article's own."""

"""From a file to an article: its text, what of it is boilerplate, its publisher and day."""

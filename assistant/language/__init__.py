"""Words, numbers and sentences of English, for every step that reads them."""

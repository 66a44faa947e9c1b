"""The question side: one `ask()`, and the front doors that translate to and from it."""

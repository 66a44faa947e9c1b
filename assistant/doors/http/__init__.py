"""The HTTP API: one `ask()` as JSON, as server-sent events and in OpenAI's form."""

"""How the tables of `assistant.keeping.database` came to be: one module of `versions` a change."""

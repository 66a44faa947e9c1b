"""How the tables of `assistant.chat.database` came to be: one module of `versions` a change."""

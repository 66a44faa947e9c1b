"""How fast it is, beside what a user would otherwise build."""

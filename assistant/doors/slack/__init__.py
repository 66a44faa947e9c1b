"""Dateline in Slack: questions from channels, direct messages and `/ask`, answered in their threads."""

"""Answers as text, Markdown, JSON and the page's elements: pure functions."""

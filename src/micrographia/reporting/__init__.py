"""Runs as one page: read back as sections of cards, tables, charts and images, and written as HTML."""

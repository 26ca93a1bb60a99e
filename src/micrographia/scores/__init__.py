"""Scores of representations and of images: pure functions on named tables."""

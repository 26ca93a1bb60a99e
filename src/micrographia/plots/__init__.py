"""Figures: each takes tables or tensors and returns a Matplotlib figure."""

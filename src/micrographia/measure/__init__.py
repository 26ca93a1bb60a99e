"""Measurements of images by ordinary image analysis: named columns, one row per cell."""

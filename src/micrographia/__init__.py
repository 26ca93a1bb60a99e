"""Interpretable deep learning on microscopy images."""

__version__ = "0.1.0"

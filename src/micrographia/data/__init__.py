"""Data sets whose images are addressed by index: rendered ones with known truth, and folders of real ones."""

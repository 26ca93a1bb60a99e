"""Public image sets: where they come from, what they hold, and how they get onto the disk."""

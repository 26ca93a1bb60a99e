"""One run on several devices: a process for each, which share every batch, or the images of a search."""

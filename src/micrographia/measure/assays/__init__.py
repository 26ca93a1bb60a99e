"""Read-outs of assays on cells, by scikit-image's routines; what could not be measured is flagged."""

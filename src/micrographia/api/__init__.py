"""The names of ``import micrographia as mg``: the commands as functions, and what they return."""

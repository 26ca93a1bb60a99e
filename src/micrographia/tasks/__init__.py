"""The verbs: each module reads as the recipe of one command."""

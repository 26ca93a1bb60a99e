"""Images made from their index, with known factors: sprites to learn from, stained cells to transfer to."""

"""Fields of view of screening plates, and the cells cut out of them."""

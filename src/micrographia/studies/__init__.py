"""Studies: a question, the sweeps that answer it, and the tables and figures that are drawn from them."""

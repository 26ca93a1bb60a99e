"""Networks, objectives and LightningModules."""

"""How a LightningModule is trained here: exact resume, curves, progress; and how its results reach the loggers."""

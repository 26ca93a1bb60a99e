"""Search of a generator's latent space for the images behind low-resolution ones."""

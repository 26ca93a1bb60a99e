"""StyleGAN2: generator, discriminator, what is trained on them, and how."""

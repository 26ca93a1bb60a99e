"""What a model's latents mean on the images that it is carried to: each module makes its tables and figures."""

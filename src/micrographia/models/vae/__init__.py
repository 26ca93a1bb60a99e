"""VAEs that disentangle: beta-VAE, FactorVAE, Ada-GVAE."""

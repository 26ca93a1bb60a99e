"""Scores of disentanglement: pure functions on tables of codes and factors, or on a sampler of both."""

from micrographia.scores.association import mutual_information
from micrographia.scores.disentanglement.active_units import active_units
from micrographia.scores.disentanglement.beta_vae_score import beta_vae_score
from micrographia.scores.disentanglement.dci import DCI, dci
from micrographia.scores.disentanglement.explicitness import explicitness
from micrographia.scores.disentanglement.factor_vae_score import factor_vae_score
from micrographia.scores.disentanglement.irs import irs
from micrographia.scores.disentanglement.latent_information import latent_information
from micrographia.scores.disentanglement.mig import mig
from micrographia.scores.disentanglement.modularity import modularity
from micrographia.scores.disentanglement.mvg import mvg
from micrographia.scores.disentanglement.omes import OMES, omes
from micrographia.scores.disentanglement.result import Score
from micrographia.scores.disentanglement.sampler import DiscreteFactors, Sampler
from micrographia.scores.disentanglement.sap import sap
from micrographia.scores.disentanglement.total_correlation import total_correlation
from micrographia.scores.disentanglement.udr import UDR, udr

__all__ = [
    "DCI",
    "OMES",
    "UDR",
    "DiscreteFactors",
    "Sampler",
    "Score",
    "active_units",
    "beta_vae_score",
    "dci",
    "explicitness",
    "factor_vae_score",
    "irs",
    "latent_information",
    "mig",
    "modularity",
    "mutual_information",
    "mvg",
    "omes",
    "sap",
    "total_correlation",
    "udr",
]

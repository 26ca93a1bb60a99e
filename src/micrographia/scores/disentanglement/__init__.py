"""Scores of disentanglement: pure functions on tables of codes and factors."""

from micrographia.scores.disentanglement.dci import DCI, dci
from micrographia.scores.disentanglement.mig import MIG, mig
from micrographia.scores.disentanglement.omes import OMES, omes

__all__ = ["DCI", "MIG", "OMES", "dci", "mig", "omes"]

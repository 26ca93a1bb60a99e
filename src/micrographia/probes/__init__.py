"""Classifiers that ask how much named features tell of the classes, and which feature tells it."""

from micrographia.probes.classifiers import GBT, MLP, Logistic, Probe
from micrographia.probes.evaluation import ProbeResult, fit_probe

__all__ = ["GBT", "MLP", "Logistic", "Probe", "ProbeResult", "fit_probe"]

"""What is known of a target's test images beside their codes: hand-made features, and two conditions."""

from dataclasses import dataclass

import pandas as pd

from micrographia.data.datamodule import IndexedImages
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.tasks.differences import Contrast, feature_differences
from micrographia.tasks.interpretation import evenly, measure_target


@dataclass
class Evidence:
    """What is known of test images beside their codes, of the source model and of the fine-tuned one."""

    features: pd.DataFrame
    """Hand-made features of an even sample."""
    contrast: Contrast | None
    """The conditions to be told apart."""
    differences: pd.DataFrame
    """Of hand-made features between the conditions."""
    metrics: Metrics


def look_at(target: IndexedImages, contrast: Contrast | None, what: What, how: How, run: Run) -> Evidence:
    """Measure hand-made features of test images, and say which differ between two conditions."""
    settings = what["interpretation"]
    also = contrast.sample(settings["images"]) if contrast else None
    features = measure_target(target, settings, how, run, also)
    differences, metrics = feature_differences(features, contrast, run) if contrast else (pd.DataFrame(), {})
    # What is measured for the contrast alone would make its conditions commoner than they are.
    even = features.loc[evenly(target, settings).tolist()] if len(features) else features
    return Evidence(even, contrast, differences, metrics)

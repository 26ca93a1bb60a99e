"""What is known of a target's test images beside their codes: hand-made features, and two conditions."""

from dataclasses import dataclass

import pandas as pd

from micrographia.data.datamodule import IndexedImages
from micrographia.interpretation.differences import Contrast, feature_differences
from micrographia.interpretation.measured import Measured, evenly, measure_images
from micrographia.runs.run import How, Metrics, Run, What


@dataclass
class Evidence:
    """What is known of test images beside their codes, of the source model and of the fine-tuned one."""

    measured: Measured | None
    """Hand-made features of an even sample; None where nothing was measured."""
    contrast: Contrast | None
    """The conditions to be told apart."""
    differences: pd.DataFrame
    """Of hand-made features between the conditions."""
    metrics: Metrics


def look_at(target: IndexedImages, contrast: Contrast | None, what: What, how: How, run: Run) -> Evidence:
    """Measure hand-made features of test images, and say which differ between two conditions."""
    count = what["interpretation"]["images"]
    also = contrast.sample(count) if contrast else None
    measured = measure_images(target, count, how, also, what["interpretation"]["features"])
    if measured is not None:
        run.save_table("features", measured.table, index=True)
    differences, metrics = feature_differences(measured, contrast, run) if contrast else (pd.DataFrame(), {})
    # What is measured for the contrast alone would make its conditions commoner than they are.
    even = None if measured is None else measured.rows(evenly(target, count).tolist())
    return Evidence(even, contrast, differences, metrics)

"""How close recovered images are to the true ones and to the low-resolution ones that were seen."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from micrographia.config import instantiate
from micrographia.inversion.solutions import Solutions
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.scores.frechet import FrechetScores, ImageFeatures
from micrographia.scores.images import image_scores
from micrographia.tasks.subjects import Subjects
from micrographia.training.fit import device_of

IMAGE_SCORES = ("psnr", "ssim", "ms_ssim", "spectrum_error")
CHUNK = 32  # images whose features are taken at a time


def feature_network(what: What, how: How) -> Any:
    """The frozen network whose features compare images; None where the config names none."""
    node = what["features"]
    return instantiate(node, "features").to(device_of(how)) if node.get("_target_") else None


def fidelity(recovered: Mapping[str, Solutions], subjects: Subjects, network: Any, run: Run) -> Metrics:
    """Score the first solutions, against the images themselves where they are known.

    Parameters
    ----------
    network
        Of `feature_network`: adds ``perceptual_<network>`` per image, and the distances ``frechet_<network>`` and
        ``kernel_<network>`` between recovered and all true images. These depend on the number of images.

    Returns
    -------
    Means over the images without a flag as ``image/<score>/<method>``, over all that could be searched, the same for
    every method, as ``image_all/<score>/<method>``, and the number of ``flagged/<method>``.
    """
    tables, metrics = [], Metrics()
    truth = None
    if network is not None and subjects.high is not None and len(subjects.high) > 1:
        truth = FrechetScores(network, chunks(subjects.high, network))
    for name, solutions in recovered.items():
        first = solutions.table[solutions.table["solution"] == 0].reset_index(drop=True).assign(method=name)
        if subjects.high is not None:
            images = solutions.images[:, 0].clamp(0, 1)
            first = first.join(scores_of(images, subjects.high, network))
            unflagged = torch.tensor((first["flag"] == "").tolist())
            for prefix, counted in {"image": images[unflagged], "image_all": images}.items():
                found = distances(truth, counted)
                metrics |= {f"{prefix}/{score}/{name}": value for score, value in found.items()}
        tables.append(first.join(subjects.known, on="key"))
    table = run.save_table("images", pd.concat(tables, ignore_index=True))
    scored = [name for name in table if name in ("lr_residual", *IMAGE_SCORES) or str(name).startswith("perceptual_")]
    for name in recovered:
        rows = table[table["method"] == name]
        trusted = rows[rows["flag"] == ""]
        metrics[f"flagged/{name}"] = len(rows) - len(trusted)
        for prefix, some in {"image": trusted, "image_all": rows}.items():
            means = some[scored].mean().dropna()
            metrics |= {f"{prefix}/{score}/{name}": float(value) for score, value in means.items()}
    return metrics


@torch.no_grad()
def scores_of(images: Tensor, truth: Tensor, network: Any) -> pd.DataFrame:
    """Scores of each image that need nothing but the truth, and the distance in the network's features, if any."""
    scores = image_scores(images, truth)[list(IMAGE_SCORES)]
    if network is None:
        return scores
    features = ImageFeatures(network, truth.shape[1])
    seen, known = (torch.cat([features(part) for part in chunks(side, network)]) for side in (images, truth))
    return scores.assign(**{f"perceptual_{network.name}": (seen - known).square().mean(1).double().cpu().numpy()})


def distances(truth: FrechetScores | None, images: Tensor) -> Metrics:
    """Distances of the images that are finite to the true ones, by name; none without a network or of one image."""
    usable = images[images.flatten(1).isfinite().all(1)]
    if truth is None or len(usable) < 2:
        return {}
    return {score.replace("/", "_"): value for score, value in truth(chunks(usable, truth.network)).items()}


def chunks(images: Tensor, network: Any) -> list[Tensor]:
    """Images a few at a time, on the network's device."""
    return [part.to(next(network.parameters()).device) for part in images.split(CHUNK)]

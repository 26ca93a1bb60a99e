"""What a finished training says of its model: tables, figures and metrics."""

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import PARTS, IndexedImages
from micrographia.data.latents import LatentCodes
from micrographia.models.classifier import Classifier
from micrographia.models.counting import CountingModule
from micrographia.models.flow import LatentFlow, compared_spaces
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.vae.vae import VAE
from micrographia.plots.association import association_figure
from micrographia.plots.confusion import confusion_figure
from micrographia.plots.norms import norm_figure
from micrographia.probes.confusions import confusion_table, count_confusions, scores_of_counts
from micrographia.probes.evaluation import SCORES
from micrographia.runs.run import Metrics, Run, What
from micrographia.scores.gaussianisation import gaussianisation, squared_norms
from micrographia.tasks.meaning import describe_latents, name_latents
from micrographia.training.samples import Samples


def describe(model: CountingModule, data: IndexedImages, what: What, run: Run) -> Metrics:
    """Describe a trained model by what is asked of its kind; of any other by its losses at the last validation."""
    match model:
        case VAE():
            return describe_vae(model, data, what, run)
        case Classifier():
            return describe_classifier(model, data, run)
        case StyleGAN2():
            return describe_generator(model, data, run)
        case LatentFlow():
            return describe_flow(model, data, run)
    return last_validation(pd.read_csv(run.folder / "curves.csv"))


def last_validation(curves: pd.DataFrame) -> Metrics:
    """Losses on the validation part when training ended.

    Examples
    --------
    >>> rows = [(5, "val/loss", 3.0), (9, "val/loss", 2.0), (9, "train/loss", 1.0)]
    >>> curves = pd.DataFrame(rows, columns=["batches", "name", "value"])
    >>> last_validation(curves)
    {'val/loss': 2.0}
    """
    validated = curves[curves["name"].str.startswith("val/")]
    last = validated[validated["batches"] == validated["batches"].max()]
    return dict(zip(last["name"], last["value"].astype(float), strict=True))


def describe_vae(model: VAE, data: IndexedImages, what: What, run: Run) -> Metrics:
    """Name the latents where the factors are known, draw traversals, and return KL and scores."""
    scores: Metrics = {}
    if data.factors:
        meaning = name_latents(model, data, **what["naming"])
        model.latent_names = meaning.names
        run.save_table("latents", meaning.table)
        run.save_table("association", meaning.association, index=True)
        run.save_figure("association", association_figure(meaning.association))
        scores = meaning.scores
    return describe_latents(model, data, run) | scores


@torch.no_grad()
def describe_classifier(model: Classifier, data: IndexedImages, run: Run) -> Metrics:
    """Score a classifier on every part, and return its test scores."""
    counts: dict[str, np.ndarray] = {}
    for part in PARTS:
        indices = data.indices(part)
        chosen = torch.cat(
            [model.predict_proba(chunk.to(model.device)).argmax(1).cpu() for chunk in data.chunks(indices)]
        )
        counts[part] = count_confusions(data.targets(indices).numpy(), chosen.numpy(), len(data.classes))
    confusion = confusion_table(counts, data.classes)
    run.save_table("confusion", confusion.reset_index())
    run.save_figure("confusion", confusion_figure(confusion.loc[["test"]].droplevel("part")))
    rows = [{"part": part, **scores_of_counts(matrix)} for part, matrix in counts.items()]
    scores = run.save_table("scores", pd.DataFrame(rows))
    return {f"classifier/{row['part']}/{name}": row[name] for row in scores.to_dict("records") for name in SCORES} | {
        "chance/balanced_accuracy": 1 / len(data.classes)
    }


def describe_generator(model: StyleGAN2, data: IndexedImages, run: Run) -> Metrics:
    """Draw samples, and return distances to the training images and where the training stands."""
    samples = Samples(model, data, run)
    samples.draw("samples")
    return samples.measure() | {
        "gan/kimg": model.images / 1000,
        "gan/augment": float(model.augmentation.probability),
        "gan/path_length": float(model.path_mean),
        "gan/r1": float(model.last_r1),
    }


@torch.no_grad()
def describe_flow(model: LatentFlow, data: IndexedImages, run: Run) -> Metrics:
    """Compare Z, W, PULSE's space and the flow's base with a normal, on test codes; return their KS distances."""
    assert isinstance(data, LatentCodes)
    test = data.indices("test")
    w = torch.cat(list(data.chunks(test)))
    spaces = compared_spaces(data.draw(test), w, model)
    table = run.save_table("gaussianisation", gaussianisation(spaces))
    norms = {name: squared_norms(codes) for name, codes in spaces.items()}
    run.save_figure("gaussianisation", norm_figure(norms, {name: codes.shape[1] for name, codes in spaces.items()}))
    log_prob = torch.cat([model.log_prob(chunk.to(model.mean)) for chunk in data.chunks(test)])
    distances = {f"gaussianisation/{row['space']}/ks": row["ks"] for row in table.to_dict("records")}
    return {"flow/nats_per_dimension": float(-log_prob.mean() / model.shape[0]), **distances}

"""``micrographia train``: any model on any data."""

import pandas as pd
import torch

from micrographia.data.datamodule import PARTS, IndexedImages
from micrographia.models.classifier import Classifier
from micrographia.models.flow import LatentFlow
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.vae.networks import FeatureNetwork
from micrographia.models.vae.vae import VAE
from micrographia.plots.association import association_figure
from micrographia.plots.confusion import confusion_figure
from micrographia.plots.curves import curves_figure
from micrographia.probes.evaluation import SCORES, count_confusions, scores_of_counts
from micrographia.runs.run import How, Metrics, Run, What, obtain
from micrographia.tasks.assembly import build_data, build_model
from micrographia.tasks.generation import describe_flow, describe_generator
from micrographia.tasks.meaning import describe_latents, name_latents
from micrographia.training.fit import device_of, fit
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.samples import Samples
from micrographia.training.show import closing_table


def train(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a train config: read back, resumed or trained."""
    return obtain(what, how, train_model, rerun)


def train_model(what: What, how: How, run: Run) -> Metrics:
    """Train a model in a run's folder, describe it in tables and figures, and return its metrics."""
    data = build_data(what, how)
    model = build_model(what, how, data)
    if isinstance(model, VAE) and isinstance(model.network, FeatureNetwork):
        everything = torch.arange(len(data)) if data.factors else data.indices("train")
        model.network.set_range(data.chunks(everything))
    watching = [Samples(model, data, run)] if isinstance(model, StyleGAN2) else []
    with opened_loggers(how, run, what) as loggers:
        fit(model, data, what["budget"], how, run.folder, what["name"], what["seed"], loggers, watching)
        model = model.eval().to(device_of(how))

        if isinstance(model, VAE):
            metrics = describe_vae(model, data, what, run)
        elif isinstance(model, StyleGAN2):
            metrics = describe_generator(model, data, run)
        elif isinstance(model, LatentFlow):
            metrics = describe_flow(model, data, run)
        else:
            assert isinstance(model, Classifier)
            metrics = describe_classifier(model, data, run)
        run.save_record(
            "model",
            {
                "shape": list(data.shape),
                "classes": list(data.classes),
                "factors": list(data.factors),
                "latents": model.latent_names,
                "images": model.images,
                "data": data.record(),
            },
        )
        run.save_figure("curves", curves_figure(pd.read_csv(run.folder / "curves.csv")))
        log_results(loggers, run, metrics, model.images)
    closing_table(what["name"], metrics)
    return metrics


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
    rows = []
    for part in PARTS:
        indices = data.indices(part)
        chosen = torch.cat(
            [model.predict_proba(chunk.to(model.device)).argmax(1).cpu() for chunk in data.chunks(indices)]
        )
        counts = count_confusions(data.targets(indices).numpy(), chosen.numpy(), len(data.classes))
        rows.append({"part": part, **scores_of_counts(counts)})
    confusion = pd.DataFrame(counts, index=list(data.classes), columns=list(data.classes))  # of the test part, the last
    run.save_table("confusion", confusion.rename_axis("class").reset_index())
    run.save_figure("confusion", confusion_figure(confusion))
    scores = run.save_table("scores", pd.DataFrame(rows))
    return {f"classifier/{row['part']}/{name}": row[name] for row in scores.to_dict("records") for name in SCORES} | {
        "chance/balanced_accuracy": 1 / len(data.classes)
    }

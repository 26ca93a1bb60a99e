"""``micrographia train``: any model on any data."""

import pandas as pd
import torch
from pytorch_lightning import Callback

from micrographia.data.datamodule import IndexedImages, require_parts
from micrographia.data.few_labels import FewLabels
from micrographia.devices.obtaining import obtain_together
from micrographia.models.classifier import Classifier
from micrographia.models.counting import CountingModule
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.vae.networks import FeatureNetwork
from micrographia.models.vae.vae import VAE
from micrographia.plots.curves import curves_figure
from micrographia.runs.run import How, Metrics, Run, What
from micrographia.tasks.assembly import build_data, build_model, is_adversarial
from micrographia.tasks.description import describe
from micrographia.tasks.model_card import write_card
from micrographia.training.disentanglement import DisentanglementScores
from micrographia.training.fit import device_of, fit
from micrographia.training.loggers import log_results, opened_loggers
from micrographia.training.samples import Samples
from micrographia.training.show import closing_table


def train(what: What, how: How, rerun: bool = False) -> Run:
    """Obtain the run of a train config: read back, resumed or trained."""
    return write_card(obtain_together(what, how, train_model, rerun))


def train_model(what: What, how: How, run: Run) -> Metrics:
    """Train a model in a run's folder, describe it in tables and figures, and return its metrics."""
    data = build_data(what, how)
    if not is_adversarial(what["model"]):
        require_parts(data)
    model = build_model(what, how, data)
    if isinstance(model, VAE) and isinstance(model.network, FeatureNetwork):
        everything = torch.arange(len(data)) if data.factors else data.indices("train")
        model.network.set_range(data.chunks(everything))
    learned, record = data, data.record()
    if isinstance(model, Classifier) and model.labels is not None:
        learned = few_labels(model, model.labels, data, run)
        record["labelled"] = learned.counts()
    with opened_loggers(how, run, what) as loggers:
        fit(
            model,
            learned,
            what["budget"],
            how,
            run.folder,
            what["name"],
            what["seed"],
            loggers,
            watching(model, data, how, run),
        )
        model = model.eval().to(device_of(how))

        metrics = describe(model, data, what, run)
        run.save_record(
            "model",
            {
                "shape": list(data.shape),
                "classes": list(data.classes),
                "factors": list(data.factors),
                "latents": model.latent_names,
                "images": model.images,
                "data": record,
            },
        )
        run.save_figure("curves", curves_figure(pd.read_csv(run.folder / "curves.csv")))
        log_results(loggers, run, metrics, model.images)
    closing_table(what["name"], metrics, record)
    return metrics


def few_labels(model: Classifier, labels: int, data: IndexedImages, run: Run) -> FewLabels:
    """The images that a classifier may learn the labels of, or select its weights by; kept in a table."""
    learned = FewLabels(data, labels, model.seed, ("train", "val") if model.select == "best" else ("train",))
    learned.report("model.labels")
    run.save_table("labelled", learned.labelled())
    return learned


def watching(model: CountingModule, data: IndexedImages, how: How, run: Run) -> list[Callback]:
    """What looks at a model now and then while it is trained."""
    if isinstance(model, StyleGAN2):
        return [Samples(model, data, run)]
    if isinstance(model, VAE) and data.intervenable and how["score_every"]:
        return [DisentanglementScores(model, data, how["score_every"])]
    return []

"""Classes and named latents of a user's images, by a finished transfer, classifier or VAE."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from micrographia.config import instantiate
from micrographia.data.preparing import Preparation
from micrographia.errors import UserError
from micrographia.models.classifier import Classifier, TransferClassifier
from micrographia.models.vae.vae import VAE
from micrographia.probes import ProbeResult, fit_probe
from micrographia.runs.run import How, Run, readable
from micrographia.scores.acceptance import Acceptance, fit_acceptance
from micrographia.tasks.assembly import load_model
from micrographia.tasks.evaluated import is_fine_tuned, load_last, training_of
from micrographia.tasks.predict import Options
from micrographia.tasks.probing import build_probes
from micrographia.tasks.readers import Batch, Reader, in_blocks
from micrographia.training.fit import device_of

log = logging.getLogger(__name__)


class ClassReader(Reader):
    """Classes of images, from codes by a probe or from a classifier's own answer; and the codes, where they are named.

    Parameters
    ----------
    preparation, about
        See `Reader`.
    device
        Where the networks are.
    encode
        From images to codes ``(n, latents)``; None where there are none.
    latents
        Names of these.
    classify
        To the probability of each class ``(n, classes)``, from codes, if a probe does it, else from images; None where
        there are no classes.
    classes
        Their names.
    probe
        Name of what classifies codes; empty: the model itself classifies images.
    acceptance
        What rejects images unlike all classes; None: nothing does.
    """

    def __init__(
        self,
        preparation: Preparation,
        device: torch.device,
        encode: Callable[[Tensor], Tensor] | None,
        latents: Sequence[str],
        classify: Callable[[Tensor], Tensor] | None = None,
        classes: Sequence[str] = (),
        probe: str = "",
        acceptance: Acceptance | None = None,
        about: Mapping[str, Any] | None = None,
    ):
        self.preparation = preparation
        self.device = device
        self.encode = encode
        self.latents = list(latents)
        self.classify = classify
        self.classes = list(classes)
        self.probe = probe
        self.acceptance = acceptance
        first = ["file", *(["class", "probability"] if classify else []), *(["probe"] if probe else [])]
        judged = ["rejection", "rejection_threshold", "rejected"] if acceptance else []
        told = [*first, *judged, "flag", *(f"probability_{name}" for name in classes)]
        self.shown = {name: f"latent_{name}" if name in told else name for name in latents}
        self.columns = [*told, *self.shown.values()]
        self.about = {"classes": self.classes, "latents": self.latents, **(about or {})}

    def rows(self, batch: Batch, folder: Path, watch: Callable[[float], None]) -> pd.DataFrame:
        """See `Reader.rows`."""
        table = pd.DataFrame({"file": batch.names, "flag": batch.flags})
        codes, asked = pd.DataFrame(index=table.index), batch.images
        if self.encode is not None:
            found = in_blocks(self.encode, batch.images, self.device)
            codes, asked = pd.DataFrame(found.numpy(), columns=self.latents), found if self.probe else batch.images
        if self.classify is not None:
            likely = pd.DataFrame(in_blocks(self.classify, asked, self.device).numpy(), columns=self.classes)
            table["class"], table["probability"] = likely.idxmax(axis=1), likely.max(axis=1)
            table["probe"] = self.probe
            if self.acceptance is not None:
                table = table.join(self.acceptance.table(codes, likely))
            table = table.join(likely.add_prefix("probability_"))
        return table.join(codes.rename(columns=self.shown))[self.columns]


def transfer_reader(run: Run, how: How, options: Options) -> ClassReader:
    """What a transfer's probe says of codes: the one that was asked for, else the best on validation images.

    Raises
    ------
    UserError
        If the run has no such probe, or does not keep what is needed.
    """
    config, record = run.config, run.record("data")
    training = training_of(run, how)
    phase = "after" if is_fine_tuned(run) else "before"
    scores = kept_table(run, "probes")
    scores = scores[scores["phase"] == phase]
    name = chosen_probe(options["probe"], scores)
    codes, known = kept_codes(run, phase)
    fitted = fit_kept(name, codes, known, tuple(record["classes"]), run, phase)
    settings = config.get("open_set") or {}
    acceptance = fit_acceptance(
        options["rejection"],
        codes,
        known["class"],
        known["part"],
        fitted.probabilities,
        options["kept"] or settings.get("kept", 0.95),
        settings.get("neighbours", 10),
    )
    model = load_last(run, codes.columns.tolist(), how)
    backbone = training.config.get("backbone") or {}
    preparation, view = seen_through(backbone, model.shape, config["data"], record, how, options)
    tested = scores[(scores["probe"] == name) & (scores["part"] == "test")]
    about = {
        "probe": name,
        "phase": phase,
        "balanced_accuracy_on_test_images": float(tested["balanced_accuracy"].iloc[0]),
        "rejection": {"score": acceptance.name, "kept": acceptance.kept, "threshold": acceptance.threshold},
    }
    return ClassReader(
        preparation,
        device_of(how),
        lambda images: model.encode(view(images))[0],
        codes.columns.tolist(),
        lambda block: torch.tensor(fitted.probabilities(named(block, codes)).to_numpy()),
        fitted.classes,
        name,
        acceptance,
        about,
    )


def trained_reader(run: Run, how: How, options: Options) -> ClassReader:
    """What a trained classifier says of images, or, of a VAE, the codes alone.

    Raises
    ------
    UserError
        If the run has trained another model.
    """
    if options["probe"] is not None:
        raise UserError(f"probe={options['probe']}: {run.folder} is a training, which has no probes. Leave it out.")
    model, config, record = load_model(run, how), run.config, run.record("model")
    if not isinstance(model, (Classifier, VAE)):
        raise UserError(
            f"run={run.folder}: a {type(model).__name__} says nothing of images. Name a transfer, a superresolve, or a "
            "training of a classifier or a VAE."
        )
    device = device_of(how)
    shape = tuple(record["shape"])
    preparation, view = seen_through(
        config.get("backbone") or {}, shape, config["data"], record.get("data") or {}, how, options
    )
    if isinstance(model, VAE):
        return ClassReader(preparation, device, lambda images: model.encode(view(images))[0], model.latent_names)
    # Of an encoder that has learned further, latents no longer mean what the names of the source's say.
    same = isinstance(model, TransferClassifier) and model.tune == "none"
    encode = (lambda images: model.embed(view(images))) if same else None
    latents = model.latent_names if same else []
    return ClassReader(
        preparation, device, encode, latents, lambda images: model.predict_proba(view(images)), model.classes
    )


def named(block: Tensor, like: pd.DataFrame) -> pd.DataFrame:
    """Codes under the names of others."""
    return pd.DataFrame(block.cpu().numpy(), columns=like.columns)


def seen_through(
    backbone: Mapping[str, Any],
    shape: Sequence[int],
    settings: Mapping[str, Any],
    record: Mapping[str, Any],
    how: How,
    options: Options,
) -> tuple[Preparation, Callable[[Tensor], Tensor]]:
    """How files become images, and these what the model takes: themselves, or a backbone's features.

    Parameters
    ----------
    backbone
        Node of the frozen network; without a target there is none.
    shape
        Of an item of the model.
    settings, record
        The run's data node, and what it keeps of its images.
    """
    chosen, limits = options["channels"], options["limits"]
    if not backbone.get("_target_"):
        return Preparation(settings, record, shape[0], shape[-1], chosen, limits), lambda images: images
    network = instantiate(backbone, "backbone")
    network.to(device_of(how))
    size = settings.get("size") or network.size
    return Preparation(settings, record, settings.get("model_channels", 3), size, chosen, limits), network


def chosen_probe(asked: str | None, scores: pd.DataFrame) -> str:
    """Name of the probe that was asked for, else of the best on validation images: the first of equals.

    Raises
    ------
    UserError
        If there is no such probe.
    """
    names = list(dict.fromkeys(scores["probe"]))
    if asked is None:
        validated = scores[scores["part"] == "val"].set_index("probe")["balanced_accuracy"]
        return str(validated.fillna(-1).idxmax())
    if asked not in names:
        raise UserError(f"probe={asked}: the run has no such probe. It has: {', '.join(names)}.")
    return asked


def fit_kept(
    name: str, codes: pd.DataFrame, known: pd.DataFrame, classes: tuple[str, ...], run: Run, phase: str
) -> ProbeResult:
    """A transfer's probe, fitted anew to the codes that the run keeps.

    That takes seconds, gives the same each time, and needs no file with code in it. Whether it is the probe that the
    run has scored, its confusion matrices tell: where they are others, a warning says so.
    """
    log.info("fitting probe %s to the codes that the run keeps", name)
    probe = build_probes(run.config)[name]
    fitted = fit_probe(probe, codes, known["class"], known["part"], classes, importance=())
    table = kept_table(run, "confusion")
    former = table[(table["phase"] == phase) & (table["probe"] == name)][list(classes)]
    if not (former.to_numpy() == fitted.confusion.to_numpy()).all():
        log.warning(
            "probe %s, fitted anew to the run's codes, does not answer as it did in the run: its packages are of other "
            "versions than those in %s. The run's scores do not hold for it.",
            *(name, run.folder / "environment.json"),
        )
    return fitted


def kept_table(run: Run, name: str) -> pd.DataFrame:
    """A table that a run keeps; one that is missing is answered."""
    with readable(run.folder / "tables" / f"{name}.csv"):
        return run.table(name)


def kept_codes(run: Run, phase: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Codes of all items of a transfer in one phase, with class and part of each; few labels are those that it had."""
    with readable(run.folder / "tables" / f"codes_{phase}.csv") as file:
        texts = {"class": str, "part": str}
        options: dict[str, Any] = {"keep_default_na": False, "float_precision": "round_trip", "index_col": "item"}
        table = pd.read_csv(file, dtype=texts, **options)
    codes, known = table.drop(columns=["class", "part"]).astype("float32"), table[["class", "part"]]
    if (run.folder / "tables" / "labelled.csv").exists():
        few = known.index.isin(run.table("labelled")["item"])
        known = known.assign(part=known["part"].mask((known["part"] == "train") & ~few, "unlabelled"))
    return codes, known

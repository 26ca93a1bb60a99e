"""Finished runs that are evaluated: their models, and the full configuration of the evaluation."""

from collections.abc import Mapping
from typing import Any

from micrographia.errors import UserError
from micrographia.models.vae.vae import VAE
from micrographia.runs.address import composed
from micrographia.runs.inputs import made_run
from micrographia.runs.run import How, Run, What, at_precision_of
from micrographia.tasks.assembly import load_vae
from micrographia.training.checkpoints import load_weights


def described(what: What, how: How, scored: Run) -> What:
    """The full configuration of one run's evaluation: with the data, the backbone and the names of the latents.

    All of it is part of the address: changed images, or other names of the latents, are another evaluation.

    Raises
    ------
    UserError
        If the run is neither a training of a VAE nor a transfer of one.
    """
    training = training_of(scored, how)
    return {
        **what,
        "name": scored.config["name"],
        # Without fine-tuning the model is the source's, and so are the weights that address the evaluation.
        "run": str(scored.folder if training is scored or is_fine_tuned(scored) else training.folder),
        "data": what.get("data") or training.config["data"],
        "backbone": training.config.get("backbone"),
        "latents": latent_names(scored, training),
        **interpreted(what, scored.config),
    }


def interpreted(what: What, config: Mapping[str, Any]) -> dict[str, Any]:
    """The ``target`` whose images a run's latents are interpreted on, and the ``probes`` and ``contrast`` there.

    Parameters
    ----------
    config
        Of the run: a transfer's own target, probes and contrast stand in for those that are not given.
    """
    given = what.get("data")
    own = config if config["task"] == "transfer" and not given else {}
    wanted = what["interpret"]
    if wanted is None:
        wanted = what["only"] is None and bool(given or own)
    if not wanted:
        return {"target": None}
    probes = what["probes"] or config.get("probes")
    return {
        "target": given or config["data"],
        "probes": composed("transfer", [])[0]["probes"] if probes is None else probes,
        "contrast": what["contrast"] or own.get("contrast"),
        "labels": own.get("labels"),
    }


def training_of(scored: Run, how: How) -> Run:
    """The training that a run's model comes from: the run itself, or a transfer's source.

    Raises
    ------
    UserError
        If the run is neither a training nor a transfer, or the source is no longer there.
    """
    config = scored.config
    if config.get("task") == "train":
        return scored
    if config.get("task") != "transfer":
        raise UserError(f"run={scored.folder}: of a {config.get('task')} run no latents are scored. Name a train run.")
    return made_run(config["source"], at_precision_of(scored, how), f"run={scored.folder}: its source")


def is_fine_tuned(scored: Run) -> bool:
    """Whether a run has fine-tuned its source's model; a transfer that has not keeps no weights of its own."""
    return scored.config.get("task") == "transfer" and bool(scored.config["finetune"]["epochs"])


def latent_names(scored: Run, training: Run) -> list[str]:
    """Names of the latents of a run's model."""
    if scored is not training and (scored.folder / "tables" / "latents_after.csv").exists():
        return scored.table("latents_after")["name"].tolist()
    return training.record("model")["latents"]


def load_phases(scored: Run, names: list[str], how: How) -> dict[str, VAE]:
    """The VAEs of a finished run, the one that is scored last.

    Parameters
    ----------
    names
        Of the last one's latents.

    Returns
    -------
    dict
        ``before``: what was trained, in a train run or in a transfer's source. ``after``: a transfer's fine-tuned
        model, if it has one.
    """
    last = load_last(scored, names, how)
    if not is_fine_tuned(scored):
        return {"before": last}
    return {"before": load_vae(training_of(scored, how), how, "run"), "after": last}


def load_last(scored: Run, names: list[str], how: How) -> VAE:
    """The VAE that a finished run ends with: what was trained, or a transfer's fine-tuned one; see `load_phases`."""
    model = load_vae(training_of(scored, how), how, "run")
    if is_fine_tuned(scored):
        load_weights(model, scored.weights)
    model.latent_names = names
    return model


def unseen_classes(config: Mapping[str, Any]) -> set[str]:
    """Classes of which a transfer's fine-tuning has seen no image, by its run's configuration."""
    settings = config.get("open_set") or {}
    return {str(name) for name in settings["classes"]} if settings.get("exclude_from_finetuning") else set()

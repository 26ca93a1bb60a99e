"""What a VAE's latents mean: names earned on data with known factors, scores, traversals."""

from dataclasses import dataclass

import pandas as pd
import torch

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages, spread
from micrographia.interpretation.traversals import draw_traversals
from micrographia.models.vae.objectives import kl_to_standard
from micrographia.models.vae.vae import VAE
from micrographia.plots.images import reconstructions_figure
from micrographia.runs.run import Metrics, Run
from micrographia.scores.association import association_above_chance
from micrographia.scores.disentanglement.mig import mig
from micrographia.scores.disentanglement.omes import omes
from micrographia.scores.naming import name_latents as names_by_association
from micrographia.tasks.assembly import encode

# The sample on which latents are named is the same for every run: names then differ by model, not by sample.
SAMPLE_SEED = 0
ACTIVE = 0.05  # nats of divergence from the prior, above which a latent holds something
DESCRIBED = 512  # validation images at most, on which reconstruction and divergence are measured


@dataclass
class Meaning:
    """Names of a model's latents and how they were earned."""

    names: list[str]
    table: pd.DataFrame
    """latent, name, factor, strength."""
    association: pd.DataFrame
    """Normalised mutual information above chance, latents (under their names) by factors."""
    scores: Metrics


@torch.no_grad()
def name_latents(model: VAE, data: IndexedImages, samples: int, strength: float) -> Meaning:
    """Compare latents and factors on a sample of a data set with known truth, and name those that earn it.

    A latent that was trained with the factors' labels may bear its own factor's name only, and bears it once it has
    learned the factor: early in training it has not.

    Parameters
    ----------
    samples
        Images to encode; also the pairs per factor for OMES.
    strength
        Least normalised mutual information above chance for a name, 0..1.
    """
    indices = data.draw_indices(samples, SAMPLE_SEED, 0)
    latents = [f"z{index}" for index in range(model.latents)]
    codes = encode(model, data, indices, latents)
    factors = data.table(indices)[list(data.factors)].set_index(codes.index)
    matrix = association_above_chance(codes, factors)
    table = names_by_association(matrix, strength, tied=model.labelled_latents)
    scores = {
        "score/mig": mig(codes, factors).score,
        "score/omes": omes(interventions(model, data, indices, codes)).score,
    }
    names = table["name"].tolist()
    return Meaning(names, table, matrix.set_axis(names, axis=0), scores)


def interventions(
    model: VAE, data: IndexedImages, indices: torch.Tensor, codes: pd.DataFrame
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """For each factor, codes of images and of those images with the factor redrawn uniformly, repeats allowed."""
    generator = step_generator(SAMPLE_SEED, 1)
    values = data.factor_values(indices)
    found = {}
    for column, (factor, count) in enumerate(data.factors.items()):
        redrawn = values.clone()
        redrawn[:, column] = torch.randint(count, (len(indices),), generator=generator)
        found[factor] = (codes, encode(model, data, data.index_of(redrawn), codes.columns.tolist()))
    return found


@torch.no_grad()
def describe_latents(model: VAE, data: IndexedImages, run: Run, suffix: str = "") -> Metrics:
    """Draw traversals and reconstructions of validation images; return what is lost in them and what the code holds.

    Returns
    -------
    dict
        On at most 512 validation images, decoded from their posterior means: ``latents/reconstruction`` (the model's
        reconstruction loss per image), ``latents/kl`` (nats per image), ``latents/active`` (latents above 0.05 nats).
    """
    indices = data.indices("val")
    indices = spread(indices, DESCRIBED)  # class folders follow each other: the first images would be of one class
    batch = torch.cat(list(data.chunks(indices))).to(model.device)
    mean, logvar = model.encode(batch)
    divergence = kl_to_standard(mean, logvar).mean(0).cpu()
    lost = model.reconstruction_loss(model.network.normalise(batch), model.network.decoder(mean))
    if model.network.of_images:
        shown = spread(torch.arange(len(batch)), 12)
        pictures = batch[shown].cpu(), model.decode(mean[shown]).cpu()
        run.save_figure(f"reconstructions{suffix}", reconstructions_figure(*pictures))
    draw_traversals(model, data, indices, mean, divergence.tolist(), run, suffix)
    return {
        f"latents{suffix}/reconstruction": float(lost),
        f"latents{suffix}/kl": float(divergence.sum()),
        f"latents{suffix}/active": int((divergence > ACTIVE).sum()),
    }

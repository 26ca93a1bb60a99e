"""For some images, the smallest move of the latents that changes a probe's answer: decoded, and measured again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.errors import UserError
from micrographia.interpretation.measured import Measured
from micrographia.models.vae.vae import VAE
from micrographia.plots.counterfactuals import counterfactual_figure
from micrographia.probes import ProbeResult
from micrographia.probes.counterfactuals import Counterfactual, counterfactual
from micrographia.runs.run import Metrics, Run

FEATURES = 3  # measured features that changed most, beside each image
LEAST_MOVE = 0.01  # standard deviations below which a latent counts as not moved


@torch.no_grad()
def explain_answers(
    results: Mapping[str, ProbeResult],
    model: VAE,
    codes: pd.DataFrame,
    parts: pd.Series,
    data: IndexedImages,
    measured: Measured | None,
    settings: Mapping[str, Any],
    run: Run,
) -> Metrics:
    """Find counterfactuals of test images, save what moved and what changed, and draw them where images are decoded.

    Parameters
    ----------
    results
        Fitted probes by name.
    codes, parts
        Posterior means of all images, and the part of each.
    settings
        Of the interpretation, with ``counterfactuals``: ``images``, ``probe`` and ``target``.

    Returns
    -------
    dict
        ``counterfactual/length``: median sum of moves, standard deviations of the training codes;
        ``counterfactual/latents``: mean number of latents moved. Nothing where none was asked for or found.
    """
    settings = settings["counterfactuals"]
    if not settings["images"]:
        return {}
    name = settings["probe"] or next(iter(results))
    probe, target = results[name], settings["target"]
    chosen = parts.index[parts == "test"]
    items = spread(torch.tensor(chosen.to_list()), settings["images"]).tolist()
    known = codes.loc[parts == "train"].to_numpy(np.float64)
    found: dict[int, tuple[str, str, Counterfactual]] = {}
    for item in items:
        answer, other = wanted(probe, codes.loc[[item]], target)
        if other != answer:
            result = counterfactual(answers(probe), codes.loc[item].to_numpy(np.float64), other, known)
            if result is not None:
                found[item] = (answer, other, result)
    if not found:
        return {}
    run.save_table("counterfactuals", moves_table(found, codes, name))
    if model.network.of_images:
        draw(found, model, codes, data, measured, run)
    lengths = [result.length for _, _, result in found.values()]
    moved = [int((np.abs(result.moves) > LEAST_MOVE).sum()) for _, _, result in found.values()]
    return {"counterfactual/length": float(np.median(lengths)), "counterfactual/latents": float(np.mean(moved))}


def check_counterfactuals(settings: Mapping[str, Any], probes: Mapping[str, Any], classes: tuple[str, ...]) -> None:
    """Refuse a probe or a class that does not exist.

    Raises
    ------
    UserError
        With the key.
    """
    key = "interpretation.counterfactuals"
    if settings["probe"] is not None and settings["probe"] not in probes:
        raise UserError(f"{key}.probe={settings['probe']}: no such probe. There are: {', '.join(probes)}.")
    if settings["target"] is not None and settings["target"] not in classes:
        raise UserError(f"{key}.target={settings['target']}: no such class. There are: {', '.join(classes)}.")


def wanted(probe: ProbeResult, code: pd.DataFrame, target: str | None) -> tuple[str, str]:
    """The probe's answer, and the class that it is to give instead: the target, or the second most probable."""
    ranked = probe.probabilities(code).iloc[0].sort_values(ascending=False, kind="stable").index
    return str(ranked[0]), str(ranked[1]) if target is None else target


def answers(probe: ProbeResult) -> Any:
    """From codes to the most probable class of each."""

    def most_probable(codes: np.ndarray) -> np.ndarray:
        if not len(codes):
            return np.empty(0, object)
        table = probe.probabilities(pd.DataFrame(codes, columns=list(probe.features)))
        return table.columns.to_numpy()[table.to_numpy().argmax(axis=1)]

    return most_probable


def moves_table(found: Mapping[int, tuple[str, str, Counterfactual]], codes: pd.DataFrame, probe: str) -> pd.DataFrame:
    """A row per image and latent that moved: ``from``, ``to``, and ``move`` in standard deviations."""
    rows = [
        {
            "item": item,
            "probe": probe,
            "answer": answer,
            "target": target,
            "latent": latent,
            "from": float(codes.loc[item].to_numpy()[position]),
            "to": float(result.code[position]),
            "move": float(result.moves[position]),
        }
        for item, (answer, target, result) in found.items()
        for position, latent in enumerate(codes)
        if abs(result.moves[position]) > LEAST_MOVE
    ]
    return pd.DataFrame(rows)


def draw(
    found: Mapping[int, tuple[str, str, Counterfactual]],
    model: VAE,
    codes: pd.DataFrame,
    data: IndexedImages,
    measured: Measured | None,
    run: Run,
) -> None:
    """Draw counterfactuals beside their images, with the latents that moved and the features that changed most."""
    items = list(found)
    own = torch.tensor(codes.loc[items].to_numpy(np.float32))
    moved = torch.tensor(np.stack([result.code for _, _, result in found.values()]), dtype=torch.float32)
    decoded, changed = (model.decode(part.to(model.device)).clamp(0, 1).cpu() for part in (own, moved))
    originals = torch.cat(list(data.chunks(torch.tensor(items))))
    latents = [str(name) for name in codes]
    texts = [moves_text(result, latents) for _, _, result in found.values()]
    if measured is not None:
        features = features_table(items, measured.of(decoded), measured.of(changed), measured)
        run.save_table("counterfactual_features", features)
        texts = [f"{text}\n{features_text(features, item)}" for text, item in zip(texts, items, strict=True)]
    titles = [f"{answer}\nto {target}" for answer, target, _ in found.values()]
    run.save_figure("counterfactuals", counterfactual_figure(originals, decoded, changed, titles, texts))


def features_table(items: list[int], before: pd.DataFrame, after: pd.DataFrame, measured: Measured) -> pd.DataFrame:
    """A row per image and feature: decoded ``before`` and ``after``; ``change`` in deviations among real images.

    Angles change by the shorter way round. NaN where no object was found in one of the two.
    """
    tables = []
    for feature in before:
        difference = after[feature].to_numpy() - before[feature].to_numpy()
        if (period := measured.periods.get(str(feature))) is not None:
            difference = (difference + period / 2) % period - period / 2
        deviation = measured.table[feature].std()
        columns = {
            "item": items,
            "feature": feature,
            "before": before[feature].to_numpy(),
            "after": after[feature].to_numpy(),
            "change": difference / deviation if deviation > 0 else np.nan,
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True).sort_values(["item", "feature"], ignore_index=True)


def moves_text(result: Counterfactual, latents: list[str]) -> str:
    """The latents that moved, those that moved most first."""
    order = np.argsort(-np.abs(result.moves), kind="stable")
    moved = [f"{latents[latent]} {signed(result.moves[latent])}" for latent in order]
    return ", ".join(moved[: max(1, int((np.abs(result.moves) > LEAST_MOVE).sum()))]) + " sd"


def features_text(features: pd.DataFrame, item: int) -> str:
    """The features that changed most, in deviations among real images."""
    rows = features[(features["item"] == item) & features["change"].notna()]
    leading = rows.reindex(rows["change"].abs().sort_values(ascending=False).index)[:FEATURES]
    return "\n".join(f"{row['feature']} {signed(row['change'])} sd" for row in leading.to_dict("records"))


def signed(value: float) -> str:
    """A number with its sign and two digits after the point.

    Examples
    --------
    >>> signed(-0.5), signed(1.234)
    ('−0.50', '+1.23')
    """
    return f"{value:+.2f}".replace("-", "−")

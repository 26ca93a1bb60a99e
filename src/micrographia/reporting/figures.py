"""What the figures of a run's folder show, in words: their titles and what a reader who cannot see them is told."""

import re

from micrographia.wording import method_words, probe_words

PHASES = {"before": "before fine-tuning", "after": "after fine-tuning"}
# From a figure's name, less its phase, to its title and description.
FIGURES = {
    "samples": ("Images", "Images of every class, as the model sees them."),
    "reconstructions": ("Reconstructions", "Test images in the upper row and their reconstructions below."),
    "traversals": ("Traversals", "A row per latent: one image decoded while that latent moves through its range."),
    "association": ("Latents and factors", "Heat map of how much each latent tells of each known factor."),
    "importance": ("Importance of latents", "Bars: how much each probe relies on each latent, by phase."),
    "codes": ("Codes", "Scatter plot of the two leading latents, test images coloured by class."),
    "probes": ("Probes", "Scores of each probe by phase, against chance."),
    "projections": ("Projections of the codes", "Scatter plots of the projected codes, coloured by class."),
    "curves": ("Learning curves", "Losses and scores over the images seen in training."),
    "latents_and_features": ("Latents and features", "Heat map: rank correlation of latents with hand-made features."),
    "readable_latents": ("Readable latents", "Each readable latent against the hand-made feature that it follows."),
    "measured_variance": ("What latents move", "Heat map: how far each latent, moved alone, changes each trait."),
    "counterfactuals": ("Counterfactuals", "Images, and decoded after the smallest move that changes the answer."),
    "differences": ("Differences of two conditions", "Latents and features by how far two conditions lie apart."),
    "phenotype": ("Phenotype", "Decoded images on the way from one condition to the other."),
    "open_set": ("Classes left out", "How well each score tells images of classes that were left out."),
    "recovered": ("Recovered images", "Low-resolution images beside what each method recovered, and the truth."),
    "measurements": ("Measurements", "Box plots of a measurement by method and condition."),
    "doses": ("Dose response", "A panel per method: the measurement by dose, each well a dot, medians joined."),
    "intervals": ("Intervals", "Each cell's interval of several solutions against its reference."),
    "scores": ("Scores per factor", "Parts of the scores of disentanglement for each factor."),
    "gaussianisation": ("Gaussianised latents", "Norms of latents against those of a normal distribution."),
}


def words_of(name: str) -> tuple[str, str]:
    """Title and description of a figure.

    Examples
    --------
    >>> words_of("codes")[0], words_of("reconstructions_after")[0], words_of("solutions_rls")[0]
    ('Codes', 'Reconstructions after fine-tuning', 'Solutions of RLS')
    """
    stem, phase = re.fullmatch(r"(.*?)(?:_(before|after))?", name).groups()  # type: ignore[union-attr]
    ending = f" {PHASES[phase]}" if phase else ""
    if stem in FIGURES:
        title, about = FIGURES[stem]
        return f"{title}{ending}", f"{about[:-1]}{ending and ','}{ending}." if ending else about
    if stem.startswith("matrix_"):
        title = f"{stem.removeprefix('matrix_').replace('_', ' ')}: matrix"
        return title, f"Heat map behind the score {stem.removeprefix('matrix_')}: latents by factors."
    if stem.startswith("open_set_"):
        kind = stem.removeprefix("open_set_").replace("_", " ")
        return f"Left out: {kind}{ending}", f"Distances of {kind}, left out, and its nearest images{ending}."
    if stem.startswith("solutions_"):
        title = f"Solutions of {method_words(stem.removeprefix('solutions_'))}"
        return title, f"{title}: several images that explain one low-resolution image, beside each other."
    if stem.startswith("confusion_"):
        title = f"Confusion, {probe_words(stem.removeprefix('confusion_'))}{ending}"
        return title, f"Confusion matrix on the test images: {title.partition(', ')[2]}."
    title = f"{stem.replace('_', ' ').capitalize()}{ending}"
    return title, f"Figure of the run: {title}."

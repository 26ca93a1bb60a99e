"""The model card of a finished run: data and licence, intended use, limits, scores, and how it was made."""

import logging
import math
import shlex
from collections.abc import Iterator
from typing import Any

import pandas as pd
import yaml

from micrographia.data.catalogue.terms import Terms
from micrographia.errors import UserError
from micrographia.reporting.records import DONE
from micrographia.runs.environment import words_of
from micrographia.runs.run import Run
from micrographia.runs.writing import write_atomically
from micrographia.tasks.card_facts import Facts, SeenSet
from micrographia.tasks.meaning import DESCRIBED

log = logging.getLogger(__name__)

CARD = "model_card.md"
TASKS = {
    "encoder": "image-feature-extraction",
    "classifier": "image-classification",
    "generator": "unconditional-image-generation",
    "recovery": "image-to-image",
}
ABOUT = {
    "encoder": "An encoder that gives each image a few latents, made to be looked at one by one",
    "classifier": "A classifier of microscopy images",
    "generator": "A generator of microscopy images (StyleGAN2)",
    "flow": "A density of a generator's style codes, which says which of them are typical",
    "recovery": "Images recovered from low resolution by searching a generator's latent space, and what they measure",
    "model": "A model trained on microscopy images",
}
USE = {
    "encoder": "To describe images like those of {data} by a few numbers, to compare conditions, and to train "
    "classifiers whose answers can be traced to single latents.",
    "classifier": "To sort images like those of {data} into its classes.",
    "generator": "To super-resolve images like those of {data} by latent search (micrographia superresolve), and as a "
    "subject of research on generators.",
    "flow": "As the prior of a latent search (micrographia superresolve, flow=...) with the generator of its codes.",
    "recovery": "To judge how far methods recover images like those of {data}, and whether measurements on them hold.",
    "model": "Research on images like those of {data}.",
}
# Beginnings of metrics that a card tells; the others stand in result.json.
TOLD = (
    *("classifier/test/", "chance/", "probe/", "score", "latents", "frechet/", "kernel/", "flow/", "gaussianisation/"),
    *("image/", "assay/", "measured/", "flagged/", "interval", "open_set/", "val/"),
)
ASSAY = ("svm", "z_prime", "ssmd", "auc", "correlation", "mae", "mae_hr", "bias")  # of an assay's first value
CLASSIFICATION = ("accuracy", "balanced_accuracy", "macro_f1")


def write_card(run: Run) -> Run:
    """Write a run's card into its folder, where there is none; a card that cannot be written never costs the run.

    Parameters
    ----------
    run
        Finished; one that was found, not made, is left as it is.
    """
    if not run.found and run.finished and not (run.folder / CARD).exists():
        try:
            write_atomically(run.folder / CARD, lambda part: part.write_text(model_card(run), encoding="utf-8"))
        except UserError as error:
            log.warning("no model card: %s", error)
    return run


def model_card(run: Run) -> str:
    """The card of a finished run as Markdown with YAML front matter, in the shape that Hugging Face reads.

    It says what the run's own files and the catalogue of sets say, and nothing else: what they do not know, it says so.
    Nothing is computed.

    Raises
    ------
    UserError
        If the run is not finished, or cannot be read.
    """
    facts = Facts(run)
    if facts.record.status != DONE:
        raise UserError(f"{run.folder}: {facts.record.problem}")
    sections = [
        f"# {facts.config['name']}",
        f"{ABOUT[facts.kind]}. {gives(facts)}".strip(),
        "## Data",
        *(described(seen) for seen in facts.sets),
        "## Intended use",
        f"{USE[facts.kind].format(data=data_name(facts))} Made for research: it is not validated for diagnosis, nor "
        "for any decision on a patient.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in facts.limits()),
        "## Scores",
        score_table(facts),
        "## How it was made",
        made(facts),
    ]
    return f"---\n{front_matter(facts)}---\n\n" + "\n\n".join(section for section in sections if section) + "\n"


def front_matter(facts: Facts) -> str:
    """YAML that Hugging Face reads; the licence of the weights is nobody's to invent."""
    config, kind = facts.config, facts.kind
    tags = ["microscopy", "interpretability", f"micrographia-{facts.record.task}"]
    if label := (config.get("model") or {}).get("name"):
        tags.append(str(label))
    found: dict[str, Any] = {
        "library_name": "micrographia",
        "license": "apache-2.0" if facts.shipped else "unknown",
        "tags": tags,
    }
    if kind in TASKS:
        found["pipeline_tag"] = TASKS[kind]
    if results := classified(facts):
        seen = facts.sets[0]
        found["metrics"] = [name for name in CLASSIFICATION[:2] if name in results]
        found["model-index"] = [
            {
                "name": config["name"],
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"name": seen.terms.name, "type": seen.terms.choice or "user", "split": "test"},
                        "metrics": [{"type": name, "value": round(value, 4)} for name, value in results.items()],
                    }
                ],
            }
        ]
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True)


def classified(facts: Facts) -> dict[str, float]:
    """Scores on the test part of a classifier, none of others: probes are no part of what a run keeps."""
    names = {name: f"classifier/test/{name}" for name in CLASSIFICATION}
    return {name: facts.metrics[key] for name, key in names.items() if key in facts.metrics}


def data_name(facts: Facts) -> str:
    """Names of the images that it is for."""
    return facts.sets[0].terms.name if facts.sets else "its data"


def gives(facts: Facts) -> str:
    """What it gives, in names."""
    classes, (_, latents) = facts.model.get("classes") or [], facts.latents
    if facts.kind == "classifier":
        return f"Classes: {', '.join(classes)}."
    return f"Latents: {', '.join(latents)}." if latents else ""


def described(seen: SeenSet) -> str:
    """A set of images: what they show, under which terms, how many, and how they were prepared."""
    terms, record = seen.terms, seen.record
    rows = {
        "shows": terms.about,
        "licence": stated(terms),
        "cite": terms.citation,
        "page": terms.page,
        "read by": f"`data={terms.choice}`" if terms.choice else "",
        "images": ", ".join(f"{count:,} {part}" for part, count in seen.images.items()),
        "parts": " by ".join(str(record[key]) for key in ("split", "group") if record.get(key)),
        "channels": str(record.get("channels", "")),
        "intensity": str(record.get("intensity", "")),
        "size": str(record.get("size", "")),
    }
    lines = [f"- {key}: {text}" for key, text in rows.items() if text]
    return "\n".join([f"**{terms.name}** ({seen.role})", "", *lines])


def stated(terms: Terms) -> str:
    """The licence of a set, with how sure it is."""
    recalled = "; recalled: from memory, not read where the set is published" if "(recalled)" in terms.licence else ""
    likely = "" if terms.certain else f", if the images are those of data={terms.choice}, whose label they bear"
    return f"{terms.licence}{likely}{recalled}"


def score_table(facts: Facts) -> str:
    """Scores by name, with the number of images that each is of."""
    rows = [(name, value, count_of(name, facts)) for name, value in told(facts)]
    lines = [f"| {name} | {value:.4g} | {count if count else ''} |" for name, value, count in rows]
    if not lines:
        return "None were taken."
    told_apart = any(name.startswith("assay/") for name, _, _ in rows)
    note = "\n\nScores of an assay that tell its controls apart take those of the images that are controls."
    return "\n".join(["| score | value | images |", "|---|---|---|", *lines]) + (note if told_apart else "")


def told(facts: Facts) -> Iterator[tuple[str, float]]:
    """The scores that a card tells."""
    for name, value in facts.metrics.items():
        of_further_values = name.startswith("assay/") and name.split("/")[1] not in ASSAY
        if name.startswith(TOLD) and not of_further_values and not math.isnan(value):
            yield name, value


def count_of(name: str, facts: Facts) -> int | None:
    """How many images a score is of; None where the run does not say."""
    images = facts.sets[0].images if facts.sets else {}
    if name.startswith(("classifier/test/", "probe/")):
        return images.get("test")
    if name.startswith("latents") and name.endswith(("/reconstruction", "/kl", "/active")):
        return min(DESCRIBED, images["val"]) if "val" in images else None
    if name.startswith("score") and name.endswith(("/mig", "/omes")):
        return (facts.config.get("naming") or {}).get("samples")
    if name.startswith(("frechet/", "kernel/")):
        most = (facts.config.get("model") or {}).get("feature_images")
        return min(most, images["train"]) if most and "train" in images else None
    if name.startswith(("image/", "flagged/", "assay/")):
        return recovered(name, facts.table("measurements" if name.startswith("assay/") else "images"))
    return None


def recovered(name: str, table: pd.DataFrame) -> int | None:
    """How many recovered images a score is of: those without a flag, of the flagged ones' number all."""
    if not {"method", "flag"} <= set(table):
        return None
    own = table[table["method"] == name.rpartition("/")[2]]
    if "solution" in own:
        own = own[own["solution"].fillna(0) == 0]
    return len(own) if name.startswith("flagged/") else int((own["flag"] == "").sum())


def made(facts: Facts) -> str:
    """The command, versions, and the run's address."""
    record = facts.record
    words = [word for word in words_of(record.command) if not word.startswith("how.")]
    packages = (record.environment.get("packages") or record.result.get("packages") or {}).items()
    rows = {
        "run": f"{record.task}, digest `{record.result['digest']}`",
        "version": f"micrographia {record.result.get('version', 'not recorded')}",
        "commit": str(record.environment.get("commit") or ""),
        "backbone": f"{facts.backbone}, frozen; its weights have terms of their own" if facts.backbone else "",
        "packages": ", ".join(f"{name} {version}" for name, version in packages if version),
        "device": str(record.environment.get("device", "")),
        "seconds": f"{record.result['seconds']:,.0f}" if "seconds" in record.result else "",
    }
    lines = "\n".join(f"- {key}: {text}" for key, text in rows.items() if text)
    command = f"```bash\n{shlex.join(words)}\n```\n\n" if any(words) else ""
    terms = "" if facts.shipped else "\n\nThe licence of the weights is for whoever shares them to state."
    return f"{command}{lines}{terms}"

"""What a finished run's own files say of its model: which images it saw, how far its scores reach, what it cannot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from micrographia.data.catalogue.terms import Terms, terms_of
from micrographia.errors import UserError
from micrographia.overrides import INPUTS
from micrographia.pretrained import is_shipped
from micrographia.reporting.records import RunRecord, read_record
from micrographia.runs.run import Run
from micrographia.tasks.meaning import ACTIVE

KINDS = {
    "micrographia.models.vae.": "encoder",
    "micrographia.models.classifier.": "classifier",
    "micrographia.models.gan.": "generator",
    "micrographia.models.flow.": "flow",
}
UNEVEN = 3  # times as many images of one class as of another


@dataclass(frozen=True)
class SeenSet:
    """A set of images that a run's model has seen.

    Attributes
    ----------
    role : str
        What they were for.
    terms : Terms
        Their licence, and whom to cite.
    record : dict
        What the run keeps of them; empty of those of a run that it took as its input.
    """

    role: str
    terms: Terms
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> dict[str, int]:
        """Images of each part."""
        return dict(self.record.get("images") or {})


@dataclass(frozen=True)
class Facts:
    """A finished run, as its model card tells of it."""

    run: Run

    @cached_property
    def record(self) -> RunRecord:
        """Configuration, result, environment."""
        return read_record(self.run)

    @property
    def config(self) -> Mapping[str, Any]:
        """What the run is."""
        return self.record.config

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its scores."""
        return self.record.metrics

    @cached_property
    def model(self) -> Mapping[str, Any]:
        """Content of ``model.json``, which trainings have."""
        return self.run.record("model") if (self.run.folder / "model.json").is_file() else {}

    @property
    def kind(self) -> str:
        """``encoder``, ``classifier``, ``generator``, ``flow``, ``recovery`` (of a super-resolution) or ``model``."""
        if self.record.task != "train":
            return {"transfer": "encoder", "superresolve": "recovery"}.get(self.record.task, "model")
        from micrographia.tasks.assembly import descends

        node = self.config["model"]
        try:
            return next((kind for place, kind in KINDS.items() if descends(node, place)), "model")
        except UserError:  # a class of the user's own that is not at hand
            return "model"

    @property
    def backbone(self) -> str:
        """Name of the frozen network before the model; empty where there is none."""
        source = self.config.get("source") or {}
        node = (input_config(source) if self.record.task == "transfer" else self.config).get("backbone") or {}
        return str(node.get("name") or "") if node.get("_target_") else ""

    @property
    def shipped(self) -> bool:
        """Whether the run ships with the package."""
        return is_shipped(self.run.folder)

    @cached_property
    def own(self) -> Mapping[str, Any]:
        """What the run keeps of its own data."""
        return self.record.data or self.model.get("data") or {}

    @cached_property
    def sets(self) -> list[SeenSet]:
        """The images that the run has seen: its own, then those of the runs that it took as inputs."""
        role = {"transfer": "target", "superresolve": "recovered"}.get(self.record.task, "trained on")
        data = self.config.get("data") or {}
        found = [SeenSet(role, terms_of(data), self.own)] if "generator" not in data else []
        model = self.config.get("model") or {}
        nodes = [(name, self.config.get(name)) for name in INPUTS]
        nodes += [(name, model.get(name)) for name in ("source", "generator", "start")]
        nodes.append(("generator of the codes", data.get("generator")))
        for name, node in nodes:
            of_input = input_config(node).get("data") if isinstance(node, Mapping) else None
            if of_input and "generator" not in of_input:
                found.append(SeenSet(f"{name} trained on", terms_of(of_input)))
        return found

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run; empty where it has none."""
        return self.record.table(f"tables/{name}.csv")

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """Of the run's classifier, or of its first probe in the last phase: ``part``, ``class``, a column per class."""
        table = self.table("confusion")
        if "probe" in table:
            phases = table["phase"].unique()
            phase = "after" if "after" in phases else "before"
            own = table[table["phase"] == phase]
            table = own[own["probe"] == own["probe"].iloc[0]].drop(columns=["phase", "probe"])
        return table

    @cached_property
    def latents(self) -> tuple[list[str], list[str]]:
        """Names of the latents before and after fine-tuning, which are the same without one."""
        if self.record.task != "transfer":
            names = list(self.model.get("latents") or [])
            return names, names
        before, after = (list(self.table(f"codes_{phase}").columns) for phase in ("before", "after"))
        own = [[name for name in names if name not in ("item", "class", "part")] for names in (before, after)]
        return own[0], own[1] or own[0]

    def limits(self) -> list[str]:
        """What the model cannot, or what is not known of it, each in a sentence or two."""
        return [*self.of_images(), *self.of_parts(), *self.of_classes(), *self.of_latents(), *self.of_recovery()]

    def of_images(self) -> list[str]:
        """Limits that follow from which images there were."""
        found = []
        simulated = [seen.terms.name for seen in self.sets if seen.terms.simulated]
        if self.sets and len(simulated) == len(self.sets):
            found.append("Trained and scored on simulated images alone: what it does on real ones is not known.")
        elif self.sets:
            real = ", ".join(dict.fromkeys(seen.terms.name for seen in self.sets if not seen.terms.simulated))
            found.append(f"No other microscope, stain or laboratory than that of {real} was tried.")
        plates = self.own.get("plates") or list(self.own.get("limits_of_plates") or {})
        if len(plates) == 1:
            found.append(f"One plate only ({plates[0]}): how scores vary between plates is not known.")
        if plates:
            found.append("Each plate is scaled by limits of its own: a new plate needs limits of its own, too.")
        if self.own.get("repeats"):
            found.append(f"Channels are repeated to fill those of the model ({self.own['channels']}).")
        if self.own.get("blank"):
            found.append(f"{len(self.own['blank'])} of the model's channels are zero ({self.own['channels']}).")
        if larger := re.search(r"\((\d+) larger ones shrunk", str(self.own.get("size", ""))):
            found.append(f"{larger[1]} images were larger than the square that all are padded to: their scale is lost.")
        if left := self.own.get("left_out"):
            found.append(f"{len(left)} files could not be used and were left out.")
        return found

    def of_parts(self) -> list[str]:
        """Limits that follow from how images were parted, and from how few there were."""
        images, found = self.sets[0].images if self.sets else {}, []
        if images and not images.get("test"):
            found.append("There was no test part: nothing is known of images that it has not seen.")
        if self.own.get("split") in ("stratified", "folders") and self.own.get("group") is None:
            drawn = "Parts were" if self.own["split"] == "stratified" else "The validation part was"
            found.append(
                f"{drawn} drawn image by image: images of one slide, plate or animal can lie on both sides, and scores "
                "can be too high for new ones."
            )
        labelled = self.own.get("labelled") or {}
        for part, count in labelled.items():
            found.append(f"Classes were learned from {count} labelled images of the {part} part alone.")
        if "seed" in self.config:
            found.append(f"One run with seed {self.config['seed']}: how scores vary between seeds is not part of it.")
        if (precision := self.config.get("precision")) is not None:
            found.append(f"Trained at the precision {precision}.")
        if self.record.result.get("half_precision"):
            found.append("Weights are rounded to half precision.")
        return found

    def of_classes(self) -> list[str]:
        """Limits of what tells classes apart."""
        table, found = self.confusion, []
        if not len(table):
            return []
        parts = {str(part): rows.set_index("class").drop(columns="part") for part, rows in table.groupby("part")}
        train = parts["train"].sum(axis="columns") if "train" in parts else pd.Series(dtype=float)
        if len(train) and train.max() >= UNEVEN * max(train.min(), 1):
            found.append(
                f"Classes are uneven: from {train.min():.0f} ({train.idxmin()}) to {train.max():.0f} "
                f"({train.idxmax()}) training images."
            )
        if "test" in parts:
            counts = parts["test"].to_numpy()
            truth = counts.sum(1)
            recall = counts.diagonal() / truth.clip(min=1)
            place = int((recall + (truth == 0)).argmin())  # a class without test images is not the worst
            by = "" if self.kind == "classifier" else f" by the probe {self.first_probe}"
            found.append(
                f"Worst class{by}: {parts['test'].index[place]}, {counts[place, place]} of {truth[place]} test images "
                "recognised."
            )
        if self.kind == "classifier":
            found.append(
                "Probabilities are not calibrated, and an image of none of the classes is given one all the same."
            )
        return found

    @property
    def first_probe(self) -> str:
        """Name of the probe whose confusion is told."""
        return str(self.table("confusion")["probe"].iloc[0])

    def of_latents(self) -> list[str]:
        """Limits of what latents mean."""
        before, after = self.latents
        found = []
        if lost := [name for name in before if name not in after]:
            found.append(f"After fine-tuning no latent stands for {', '.join(lost)} any more.")
        unnamed = [name for name in after if re.fullmatch(r"z\d+", name)]
        if after and len(unnamed) == len(after):
            found.append("No latent has earned a name: what each means has to be looked at.")
        elif unnamed:
            found.append(f"{len(unnamed)} of {len(after)} latents have no name: {', '.join(unnamed)}.")
        if after and len(unnamed) < len(after):
            of_source = [seen.terms.name for seen in self.sets if seen.role.startswith("source")]
            known = of_source[0] if of_source else self.sets[0].terms.name
            found.append(f"Names were earned on images of {known}; on others they are a hint.")
        if (tuned := (self.config.get("model") or {}).get("tune", "none")) != "none":
            found.append(f"The encoder went on learning after its latents were named (model.tune={tuned}).")
        told = [f"latents{suffix}/active" for suffix in ("_after", "_before", "")]
        active = next((self.metrics[name] for name in told if name in self.metrics), None)
        if after and active is not None and active < len(after):
            found.append(f"{len(after) - int(active)} of {len(after)} latents hold nothing (below {ACTIVE:g} nats).")
        return found

    def of_recovery(self) -> list[str]:
        """Limits of recovered images."""
        if self.kind == "generator":
            return ["Its images show no cell that exists. They must not be taken for data."]
        if self.kind != "recovery":
            return []
        found = ["Recovered detail is the generator's: what it has not learned to draw, it cannot recover."]
        table = self.table("images")
        if len(table) and "flag" in table:
            for method, rows in table.groupby("method", sort=False):
                flagged = int((rows["flag"] != "").sum())
                if flagged:
                    found.append(f"{method}: {flagged} of {len(rows)} images are flagged as not to be trusted.")
        if self.own.get("low resolution"):
            found.append("The images were low-resolution ones: the truth behind them is not known.")
        return found


def input_config(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Configuration of a run that is taken as an input, given itself or by its folder; empty: it is not there."""
    if "task" in node or node.get("run") is None:
        return node if "task" in node else {}
    try:
        return Run.named(str(node["run"])).config
    except UserError:
        return {}

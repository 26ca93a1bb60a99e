"""Images of high resolution behind a user's low-resolution ones, and what they measure, by a superresolve run."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from micrographia.config import instantiate
from micrographia.data.preparing import Preparation
from micrographia.data.restoring import write_ome_tiff
from micrographia.errors import UserError
from micrographia.inversion.method import Method
from micrographia.inversion.module import InversionModule
from micrographia.inversion.problem import Problem
from micrographia.inversion.solutions import Solutions
from micrographia.measure.assays.assay import CellAssay
from micrographia.runs.run import How, Run
from micrographia.tasks.assay_report import joined, kept_calibration, measurements
from micrographia.tasks.assembly import load_flow, load_generator
from micrographia.tasks.predict import Options
from micrographia.tasks.readers import Batch, Reader
from micrographia.tasks.recovered_files import distinct
from micrographia.tasks.recovery_inputs import build_assay, build_method, checked_methods, load_encoder
from micrographia.tasks.scaling import networks_alike
from micrographia.tasks.subjects import Subjects
from micrographia.training.fit import device_of

SEARCHED = ["lr_residual", "log_p", "log_p_least"]
PREFERRED = "rls"


class RecoveredReader(Reader):
    """Images recovered by one method, written as OME-TIFF in the units of their files, and a row for each solution.

    Parameters
    ----------
    preparation
        See `Reader`.
    method, problem
        What to do, and with what.
    assay
        What is measured, calibrated; None: nothing is.
    blank
        Channels that the images lack.
    device
        Where the search is done.
    """

    per = "min"

    def __init__(
        self,
        preparation: Preparation,
        method: Method,
        problem: Problem,
        assay: CellAssay | None,
        blank: Sequence[int],
        device: torch.device,
    ):
        self.preparation = preparation
        self.method, self.assay, self.device = method, assay, device
        self.module = InversionModule(method, problem, blank=blank).to(device).eval()
        self.batch = method.chunk_size(problem)
        self.per_image = method.solutions
        self.blank = tuple(blank)
        self.values = [] if assay is None else [*assay.values, "nucleus_area_px"]
        self.columns = ["file", "image", "method", "solution", "flag", *self.values, *SEARCHED]
        self.about = {"method": method.name, "measured": self.values}
        self.files: dict[str, Path] = {}

    def expect(self, names: Sequence[str]) -> None:
        """Settle where the image of each file is written."""
        self.files = dict(zip(names, distinct(names), strict=True))

    def rows(self, batch: Batch, folder: Path, watch: Callable[[float], None]) -> pd.DataFrame:
        """See `Reader.rows`."""
        keys = [content_key(image) for image in batch.images]
        places = {key: place for place, key in reversed(list(enumerate(keys)))}  # copies of an image are searched once
        each = torch.tensor(sorted(places.values()))
        found = self.module.solve(batch.images[each].to(self.device), torch.tensor(keys)[each], watch)
        rows = self.measured(found)
        tables = []
        for name, path, key, flag in zip(batch.names, batch.paths, keys, batch.flags, strict=True):
            image = found.images[found.keys.tolist().index(key), 0].cpu()
            file = Path("images", self.files[name])
            if image.isfinite().all():
                write_ome_tiff(folder / file, *self.preparation.restored(image.numpy(), path), key="output")
            written = file.as_posix() if image.isfinite().all() else ""
            own = rows[rows["key"] == key].assign(file=name, image=written, method=self.method.name)
            tables.append(own.assign(flag=joined(pd.Series(flag, own.index), own["flag"])))
        return pd.concat(tables, ignore_index=True).reindex(columns=self.columns)

    def measured(self, found: Solutions) -> pd.DataFrame:
        """The solutions' table, with what their images measure."""
        if self.assay is None:
            return found.table
        known = pd.DataFrame(index=pd.Index(found.keys.tolist(), name="item"))
        subjects = Subjects(found.keys, None, torch.empty(0), known, self.blank)
        table = measurements(self.assay, {self.method.name: found}, subjects, None)
        return found.table.assign(**{column: table[column].to_numpy() for column in (*self.values, "flag")})


def recovered_reader(run: Run, how: How, options: Options) -> RecoveredReader:
    """What a superresolve run makes of low-resolution images, with its generator, flow, degradation and measurement.

    Raises
    ------
    UserError
        If the run has no such method, its inputs are gone, or it does not keep what is needed.
    """
    if options["probe"] is not None:
        raise UserError(f"probe={options['probe']}: {run.folder} super-resolves, and has no probes. Leave it out.")
    record = run.record("data")
    what = networks_alike({**run.config, "methods": checked_methods(run.config["methods"])}, record)
    name = chosen_method(options["method"], list(what["methods"]))
    degradation = instantiate(what["degradation"], "degradation")
    generator = load_generator(what["generator"], how, "generator", made=True)
    flow = load_flow(what["flow"], how, generator, made=True)
    encoder = load_encoder(what["encoder"], how, generator, degradation, made=True)
    problem = Problem(generator, degradation, flow, encoder)
    method = build_method(name, what, how, problem, made=True)
    channels, size, _ = problem.shape
    assay = build_assay(what, channels, size, bool(record.get("low resolution"))) if options["measure"] else None
    side = size // degradation.factor
    preparation = Preparation(
        what["data"],
        record,
        channels,
        side,
        options["channels"],
        options["limits"],
        side=side,
        nan=True,
        grey=False,
    )
    blank = record.get("blank", ())
    return RecoveredReader(
        preparation, method, problem, None if assay is None else kept_calibration(assay, run), blank, device_of(how)
    )


def chosen_method(asked: str | None, names: list[str]) -> str:
    """Name of the method that was asked for, else of regularised latent search, or of the only one.

    Raises
    ------
    UserError
        If there is no such method, or several of which none is the one that is meant.

    Examples
    --------
    >>> chosen_method(None, ["bicubic", "rls"]), chosen_method("bicubic", ["bicubic", "rls"])
    ('rls', 'bicubic')
    """
    listed = ", ".join(names)
    if asked is not None and asked not in names:
        raise UserError(f"method={asked}: the run has no such method. It has: {listed}.")
    if asked is None and PREFERRED not in names and len(names) > 1:
        raise UserError(f"method: the run has several. Name one of them, as method={names[-1]}: {listed}.")
    return asked or (PREFERRED if PREFERRED in names else names[0])


def content_key(image: Tensor) -> int:
    """Number of an image by its pixels: its random numbers are the same wherever it lies, whatever it is called.

    Examples
    --------
    >>> content_key(torch.zeros(1, 4, 4)) == content_key(torch.zeros(1, 4, 4))
    True
    """
    digest = hashlib.sha256(image.contiguous().numpy().tobytes()).digest()
    return int.from_bytes(digest[:8], "big") >> 1

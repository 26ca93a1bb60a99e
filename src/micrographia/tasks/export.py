"""``micrographia export``: a trained model as a file that runs elsewhere, checked, with its model card."""

import json
import logging
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from micrographia.config import Between
from micrographia.errors import UserError, needing
from micrographia.pretrained import is_shipped
from micrographia.runs.run import How, Run
from micrographia.tasks.composing import checked_for, print_config, without_show

log = logging.getLogger(__name__)

Format = Literal["onnx", "safetensors"]
OPSET = 17
ONNX = "model.onnx"


class Exporting(TypedDict):
    """Keys of ``export.yaml``."""

    run: str | None
    format: Format
    output: str | None
    images: Annotated[int, Between(2)]
    tolerance: Annotated[float, Between(0)]


@dataclass(frozen=True)
class Export:
    """What an export has written.

    Attributes
    ----------
    folder : Path
        Where the files lie.
    files : tuple of Path
        The model first.
    difference : float
        Largest difference from the trained model's outputs, relative where these are above 1.
    prepared : float
        Largest difference of what goes into the model from what the data set makes of an image, in 0..1.
    compared : str
        On what the two were compared.
    """

    folder: Path
    files: tuple[Path, ...]
    difference: float
    prepared: float
    compared: str


def export_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia export run=PATH [key=value ...]`` and return the exit status.

    Raises
    ------
    UserError
        If an option or key is unknown, the run cannot be exported, or the files do not say what the trained model says.
    """
    from micrographia.console import show_notices

    if not arguments or {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    words, shown = without_show(arguments)
    if option := next((word for word in words if word.startswith("-") or "=" not in word), None):
        raise UserError(f"{option}: export takes run=PATH, key=value, and --cfg job at the end.")
    what, how = settings(words)
    if shown:
        print_config("export", {**what, "how": how})
        return 0
    if what["run"] is None:
        raise UserError("run: no value given. Add run=PATH, the folder of a finished run, or run=pretrained/NAME.")
    show_notices()
    made = export(how=how, **what)
    print(made.folder, flush=True)
    return 0


def settings(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``export.yaml`` with overrides, checked."""
    return checked_for("export", overrides, Exporting)


def overview() -> str:
    """Text of ``micrographia export --help``."""
    return (
        "micrographia export: a trained model as a file that runs elsewhere, checked, with its model card\n\n"
        "  micrographia export run=PATH [format=onnx|safetensors] [output=FOLDER]\n\n"
        "A PATH is the folder of a finished run, or pretrained/NAME. What it gives:\n"
        "  a VAE, or a transfer      image -> latents, log_variances (of a transfer: the fine-tuned encoder)\n"
        "  model=transfer_classifier image -> probabilities, latents\n"
        "  model=cnn                 image -> probabilities\n"
        "  model=stylegan2           z -> images, w\n\n"
        "  format=onnx            model.onnx, for onnxruntime and its like: raw pixel values in\n"
        "  format=safetensors     model.safetensors and model.json, for micrographia.models.exported.load_exported\n"
        "  output=FOLDER          otherwise export/ in the run's folder; of a shipped run runs/export/NAME\n"
        "  images=16              of the run's data, on which the file is compared with the trained model\n"
        "  tolerance=0.001        largest difference that passes; what differs more is not kept (exit status 2)\n\n"
        "model_card.md lies beside the file. The last line on stdout is the folder."
    )


def export(
    run: Run | Path | str,
    format: Format = "onnx",  # noqa: A002  (the key's name)
    output: Path | str | None = None,
    images: int = 16,
    tolerance: float = 1e-3,
    how: How | None = None,
) -> Export:
    """Write a finished run's model for use elsewhere, compare it with the trained one, and write its card beside it.

    Parameters
    ----------
    run
        A finished run, its folder, or ``pretrained/NAME``.
    format
        ``onnx``: raw pixel values in, named outputs out, in any runtime; ``safetensors``: weights, and how to build the
        model again.
    output
        Folder of the files; None: ``export`` in the run's folder, of a shipped run ``<how.paths.runs>/export/NAME``.
    images
        Of the run's data, on which the two are compared.
    tolerance
        Largest difference that passes.
    how
        Execution; None takes the defaults.

    Raises
    ------
    UserError
        If the run holds nothing to export, the extra ``onnx`` is missing, or the two differ: then nothing is kept.
    """
    from micrographia.runs.address import composed
    from micrographia.tasks.model_holders import require_model

    how = composed("export", [])[1] if how is None else how
    how = {**how, "accelerator": "cpu"}
    run = run if isinstance(run, Run) else Run.named(str(run))
    require_model(run, how)
    folder = place_of(run, output, how)
    if format == "onnx":
        require_onnx()
    # What follows imports for seconds.
    from micrographia.tasks.exportable import exportable_of
    from micrographia.tasks.model_card import CARD, model_card
    from micrographia.tasks.parity import difference, preparation_difference, samples_of
    from micrographia.training.fit import prepare_threads

    prepare_threads(how)
    exportable = exportable_of(run, how)
    samples, compared = samples_of(exportable, how, images)
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        write, computing = {"onnx": (write_onnx, by_onnxruntime), "safetensors": (write_safetensors, by_safetensors)}[
            format
        ]
        write(exportable.model, staging, samples)
        (staging / CARD).write_text(model_card(run), encoding="utf-8")
        found = difference(exportable, samples, computing(staging))
        prepared = preparation_difference(exportable.model, samples)
        if not max(found, prepared) <= tolerance:
            raise UserError(
                f"run={run.folder}: on {compared} the exported model differs from the trained one by {found:.2g}, its "
                f"pre-processing from the data set's by {prepared:.2g}; tolerance={tolerance:g}. Nothing was kept."
            )
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in staging.iterdir())
        for name in names:
            (staging / name).replace(folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    log.info(
        "%s: largest difference from the trained model %.1e, of prepared pixels %.1e, on %s",
        *(format, found, prepared, compared),
    )
    names.sort(key=lambda name: (not name.startswith("model."), name.endswith(".json")))
    return Export(folder, tuple(folder / name for name in names), found, prepared, compared)


def require_onnx() -> None:
    """Raise a `UserError` unless what the format onnx needs is installed."""
    with needing("format=onnx", "onnx"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401


def place_of(run: Run, output: Path | str | None, how: How) -> Path:
    """Folder of the files."""
    if output is None:
        shipped = is_shipped(run.folder)
        return Path(how["paths"]["runs"]) / "export" / run.folder.name if shipped else run.folder / "export"
    folder = Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output={output}: is a file. Name a folder.")
    return folder


def write_onnx(model: Any, folder: Path, samples: Sequence[Any]) -> None:
    """Write ``model.onnx``, with what is known of the model as its metadata."""
    import onnx
    import torch

    from micrographia.tasks.parity import example_of

    file = folder / ONNX
    axes = {name: {0: "batch"} for name in (*model.input_names, *model.output_names)}
    if model.preprocessing is not None and model.preprocessing.steps.resized:
        axes["image"] |= {2: "height", 3: "width"}
    example = example_of(samples)
    model(*example)  # a network asks once whether its features' range is known, which must not be traced
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of branches on shapes, which are the same for all inputs, and of its age
        # Of torch's two exporters this one takes a second and the other twenty, for the same graph.
        try:
            torch.onnx.export(
                *(model, example, file),
                dynamo=False,
                opset_version=OPSET,
                input_names=list(model.input_names),
                output_names=list(model.output_names),
                dynamic_axes=axes,
            )
        except torch.onnx.errors.OnnxExporterError as error:  # of a network of the user's own, say
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"format=onnx: the network has no graph ({reason}). Use format=safetensors.") from error
    graph = onnx.load(file)
    for key, value in metadata_of(model.description).items():
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph)
    onnx.save(graph, file)


def metadata_of(description: Mapping[str, Any]) -> dict[str, str]:
    """A description as texts by key: of lists and nodes the JSON."""
    keys = ("latents", "classes", "size", "steps", "task", "run", "digest", "micrographia")
    found = {key: description[key] for key in (*keys, "data", "licence_of_data", "citation_of_data")}
    found["channels"] = (description["preprocessing"] or {}).get("channels", [])
    found["opset"] = OPSET
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def by_onnxruntime(folder: Path) -> Any:
    """Compute by the written graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / ONNX, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, dict(inputs))


def write_safetensors(model: Any, folder: Path, samples: Sequence[Any]) -> None:
    """Write ``model.safetensors``, its metadata how to build the model, and the same beside it as ``model.json``."""
    from safetensors.torch import save

    from micrographia.models.exported import DESCRIPTION, KEY, WEIGHTS

    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.own_state().items()}
    (folder / WEIGHTS).write_bytes(save(weights, {KEY: json.dumps(model.description)}))
    (folder / DESCRIPTION).write_text(json.dumps(model.description, indent=2) + "\n", encoding="utf-8")


def by_safetensors(folder: Path) -> Any:
    """Compute by the model that is built from the written file."""
    from micrographia.models.exported import load_exported
    from micrographia.tasks.parity import by_torch

    return by_torch(load_exported(folder))

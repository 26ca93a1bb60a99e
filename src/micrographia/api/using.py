"""What a finished run is used for: other images, and other programs."""

from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from micrographia.api.arrays import files_of
from micrographia.api.kernel import kept_as_it_was
from micrographia.api.run import Run
from micrographia.api.settings import Overrides, overrides_of
from micrographia.tasks.export import Export
from micrographia.tasks.predict import Prediction


def predict(
    run: Run | str | Path,
    images: str | Path | ArrayLike,
    output: str | Path,
    /,
    *,
    overrides: Overrides = None,
    **settings: Any,
) -> Prediction:
    """Classify, or super-resolve and measure, images by a finished run, as ``micrographia predict`` does.

    What is done already is not done again, and images that cannot be read are listed.

    Parameters
    ----------
    run
        A `Run`, its folder, or ``pretrained/NAME``.
    images
        Folder of images, one file, or a pattern of paths; or an array of them as of `micrographia.transfer`, whose rows
        follow its order.
    output
        Folder of the results.
    overrides, settings
        As of `train`: ``probe="gbt"``, ``kept=0.9``, ``how={"threads": 1}``.

    Returns
    -------
    Prediction
        Its rows as ``.table``, its folder, and how many images there are and could not be read.

    Raises
    ------
    UserError
        If a setting is wrong, the run says nothing of images, none of them can be read, or the output holds something
        else.
    """
    from micrographia.tasks.predict import predict as predict_images
    from micrographia.tasks.predict import settings as settings_of

    with kept_as_it_was():
        what, how = settings_of(overrides_of(settings, overrides))
        place = images if isinstance(images, (str, Path)) else files_of(images, Path(how["paths"]["cache"]))
        named = {"run": place_of(run), "input": str(place), "output": str(output)}
        return predict_images(**{**what, **named}, how=how)


def export(run: Run | str | Path, /, *, overrides: Overrides = None, **settings: Any) -> Export:
    """Write a run's model as ONNX or safetensors, checked, with its model card, as ``micrographia export`` does.

    Parameters
    ----------
    run
        A `Run`, its folder, or ``pretrained/NAME``.
    overrides, settings
        As of `train`: ``format="safetensors"``, ``output="model"``.

    Returns
    -------
    Export
        Its folder and files, and the largest difference from the trained model.

    Raises
    ------
    UserError
        If a setting is wrong, the run holds nothing to export, or the file says something else than the trained model.
    """
    from micrographia.tasks.export import export as export_run
    from micrographia.tasks.export import settings as settings_of

    with kept_as_it_was():
        what, how = settings_of(overrides_of(settings, overrides))
        return export_run(**{**what, "run": place_of(run)}, how=how)


def place_of(run: Run | str | Path) -> str:
    """How a command names a run."""
    return run.place if isinstance(run, Run) else str(run)

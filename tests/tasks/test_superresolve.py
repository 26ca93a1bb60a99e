from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from micrographia.cli import command
from micrographia.inversion.solutions import Solutions
from micrographia.plots.strips import read_strips
from micrographia.scores.wells import Comparison
from micrographia.tasks.reporting import report
from micrographia.tasks.superresolve import draw_measurements
from micrographia.wording import method_words

GENERATOR = (
    *("generator.model.channel_max=4", "generator.model.z_dim=8", "generator.model.w_dim=6"),
    *("generator.model.mapping_layers=2", "generator.model.w_samples=100", "generator.model.sample_kimg=null"),
    *("generator.budget.kimg=0.016", "generator.budget.batch_size=8", "generator.budget.validate_every=2"),
)
FLOW = (
    *("flow.model.hidden=8", "flow.model.standard_samples=500", "flow.data.count=500", "flow.data.held_out=100"),
    *("flow.budget.steps=2", "flow.budget.batch_size=32", "flow.budget.validate_every=1"),
)
ASSAY = ("data.size=32", "data.layout.replicates=4", "data.layout.fields=1", "data.layout.cells=4", "images=2")
SEARCH = ("methods.rls.schedule.steps=4", "methods.no_regularization.schedule.steps=4")
PRIORS = ("log_p", "p_norm", "cross")
TINY = (*GENERATOR, *FLOW, *ASSAY, *SEARCH)


@pytest.mark.usefixtures("kept_runs")
def test_the_second_job_end_to_end(micrographia):
    run = micrographia("superresolve", *TINY)
    methods = ["bicubic", "no_regularization", "rls"]
    images = run.table("images")
    assert images.groupby("method").size().to_dict() == dict.fromkeys(methods, 6)
    measured = run.table("measurements")
    assert set(measured["method"]) == {"hr", *methods}
    assert {"translocation_ratio", "true_translocation_ratio", "well", "dose", "flag", "lr_residual"} <= set(measured)
    for method in methods:
        trusted = images.query("method == @method and flag == ''")
        assert run.metrics[f"flagged/{method}"] == 6 - len(trusted)
        expected = trusted["psnr"].mean() if len(trusted) else None
        assert run.metrics.get(f"image/psnr/{method}") == pytest.approx(expected)
    assert (images.query("method == 'bicubic'")["flag"] == "").all()
    assert (run.folder / "figures" / "recovered.png").stat().st_size > 1000
    stages = ("low resolution", *map(method_words, methods), "high resolution")
    strips = read_strips((run.folder / "figures" / "recovered.html").read_text())
    assert [strip.steps for strip in strips] == [stages] * 6
    assert set(measured[run.record("data")["controls"]["condition"]].astype(str)) >= {"-1", "1"}
    page = report([str(run.folder)], 20_000_000)
    assert all(f">{title}</h2>" in page for title in ("Results", "Recovered images", "Measurements"))
    generators = list((run.folder.parents[1] / "train").glob("stylegan2-*/result.json"))
    assert len(generators) == 1
    again = micrographia("superresolve", *TINY)
    assert again.folder == run.folder


def test_without_arguments_nothing_is_trained(micrographia, tmp_path):
    run = micrographia("superresolve", "images=1", *SEARCH)
    assert not (tmp_path / "runs" / "train").exists()
    assert run.metrics["image/psnr/bicubic"] > 25
    assert run.table("measurements").query("method == 'hr'")["translocation_ratio"].notna().all()


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_no_classifier_is_tested_on_cells_that_it_has_learned(micrographia):
    given = ("images=2", "part=train", "~methods.no_regularization", SEARCH[0])
    run = micrographia("superresolve", *given)
    assert "assay/auc/hr" in run.metrics
    assert not [name for name in run.metrics if "/svm" in name]


def test_controls_are_told_in_the_legend_also_where_doses_are_fractions():
    drawn = []
    run = SimpleNamespace(save_figure=lambda _, figure: drawn.append(figure))
    table = pd.DataFrame({"method": "hr", "dose": [0.0, 2.5, 10.0], "ratio": [1.0, 2.0, 3.0]})
    draw_measurements(table, "ratio", Comparison("dose", 0, 10, "well"), run)
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["0.0, negative", "2.5", "10.0, positive"]


@pytest.mark.usefixtures("kept_runs")
def test_flagged_images_count_in_the_means_over_all(micrographia):
    run = micrographia("superresolve", *TINY)
    images = run.table("images")
    for method in ("bicubic", "no_regularization", "rls"):
        assert run.metrics[f"image_all/psnr/{method}"] == pytest.approx(
            images.query("method == @method")["psnr"].mean()
        )
    measured = run.table("measurements").query("solution == 0").groupby("method")["translocation_ratio"].count()
    assert {method: run.metrics[f"measured/{method}"] for method in measured.index} == measured.to_dict()
    assert set(run.table("assay")["rows"]) == {"trusted", "all"}


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_images_are_compared_in_the_features_of_a_network(micrographia):
    pytest.importorskip("efficientnet_lite_pytorch")
    run = micrographia("superresolve", *TINY, "backbone@features=efficientnet_lite0", "features.size=32")
    table = run.table("images")
    assert (table["perceptual_efficientnet_lite0"] > 0).all()
    bicubic = table.query("method == 'bicubic'")["perceptual_efficientnet_lite0"].mean()
    assert run.metrics["image_all/perceptual_efficientnet_lite0/bicubic"] == pytest.approx(bicubic)
    assert run.metrics["image_all/frechet_efficientnet_lite0/rls"] > 0


@pytest.mark.usefixtures("kept_runs")
def test_several_solutions_are_searched_for_other_cells_too(micrographia, capsys):
    several = ("methods.rls.solutions=2", "~methods.no_regularization", "intervals.images=4")
    run = micrographia("superresolve", *TINY, *several)
    assert len(run.table("measurements").query("method == 'rls'")) == 2 * 6
    kept = [Solutions.load(file) for file in (run.folder / "calibration" / "rls").iterdir()]
    others = {key for part in kept for key in part.keys.tolist()}
    assert len(others) >= 8
    assert not others & set(run.table("images")["key"])
    assert (run.folder / "figures" / "solutions_rls.png").stat().st_size > 1000
    plain = micrographia("superresolve", *TINY, *several, "measurement=none")
    assert (plain.folder / "figures" / "solutions_rls.png").stat().st_size > 1000


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_nothing_is_told_of_what_else_is_done_to_the_images(micrographia):
    several = ("methods.rls.solutions=2", "~methods.no_regularization", "intervals.images=4")
    network = ("+inversion@methods.supervised=supervised", "methods.supervised.network.model.filters=4")
    network += ("methods.supervised.network.model.blocks=1", "methods.supervised.network.budget.steps=2")
    network += ("methods.supervised.network.budget.batch_size=4", "methods.supervised.network.budget.validate_every=1")
    told, untold = (
        micrographia("superresolve", *TINY, *several, *network, *further)
        for further in ((), ("untold=gaussian_noise", "untold.noise.sigma=0.05"))
    )
    (network_run,) = (told.folder.parents[1] / "train").glob("super_resolver-*/result.json")
    assert network_run.exists()  # the one of both
    for kind, alike in (("calibration", True), ("solutions", False)):
        files = [sorted((run.folder / kind / "rls").iterdir()) for run in (told, untold)]
        for one, other in zip(*files, strict=True):
            assert torch.equal(Solutions.load(one).images, Solutions.load(other).images) == alike
    rows = untold.table("images").query("method == 'bicubic'").set_index("key")
    clear = told.table("images").query("method == 'bicubic'").set_index("key")
    assert (rows["psnr"] < clear["psnr"]).all()
    assert (rows["lr_residual"] > clear["lr_residual"]).all()  # of what was seen, noise included


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_an_encoder_is_trained_once_for_the_searches_that_start_from_it(micrographia):
    encoder = ("encoder=trained", "encoder.model.filters=4", "encoder.model.blocks=1", "encoder.budget.steps=2")
    encoder += ("encoder.budget.batch_size=4", "encoder.budget.validate_every=1")
    short = ("+inversion@methods.rls_short=rls_short", "methods.rls_short.schedule.steps=4")
    run = micrographia("superresolve", *TINY, *encoder, *short)
    folder = run.folder.parents[1] / "train"
    (trained,) = folder.glob("latent_encoder-*/result.json")
    table = run.table("images")
    assert len(table.query("method == 'rls_short'")) == 6
    # Terms of a finished encoder are not asked for: it is read without the flow that it has learned with.
    given = ("flow=none", "~methods.rls", "~methods.no_regularization", f"encoder={trained.parent}")
    free = [f"methods.rls_short.terms.{name}.weight=0" for name in PRIORS]
    micrographia("superresolve", *GENERATOR, *ASSAY, *given, *short, *free)
    assert list(folder.glob("latent_encoder-*/result.json")) == [trained]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("+inversion@methods.rls_short=rls_short",),
            "or methods.rls_short.start.kind=mean and methods.rls_short.axes=styles.",
        ),
        (("methods.rls.axes=encoder",), "methods.rls needs an encoder: choose encoder=trained or encoder=RUN, or"),
        (("flow=none",), "methods.rls.terms.log_p needs a flow over the generator's latents: choose flow=trained"),
        (("flow=none", "~methods.rls", "encoder=trained"), "encoder.model.terms.log_p needs a flow over"),
        (("+methods.rls.terms.extra=3",), "methods.rls.terms.extra=3: no term. Name its class"),
        (("+methods.rls.terms.extra.weight=1",), "methods.rls.terms.extra={'weight': 1}: no term. Name its class"),
    ],
)
def test_what_lacks_an_input_is_refused_before_anything_is_trained(micrographia, capsys, tmp_path, overrides, message):
    micrographia("superresolve", *GENERATOR, *ASSAY, *overrides, status=2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs" / "train").exists()


@pytest.mark.usefixtures("kept_runs")
def test_all_methods_beside_each_other(micrographia):
    searches = ("rls", "no_regularization", "gaussianized_w", "no_pw", "no_cross", "rls_plus", "pulse", "brgm")
    network = "methods.supervised.network"
    run = micrographia(
        *("superresolve", "experiment=rls/methods", *GENERATOR, *FLOW, *ASSAY),
        *(f"methods.{name}.schedule.steps=4" for name in searches),
        *("methods.rls_plus.tuning.steps=1", f"{network}.budget.steps=2", f"{network}.budget.batch_size=4"),
        *(f"{network}.model.filters=4", f"{network}.model.blocks=1", f"{network}.budget.validate_every=1"),
    )
    methods = {"bicubic", "supervised", *searches}
    assert set(run.table("images")["method"]) == methods
    assert {name for name in methods if f"image_all/psnr/{name}" in run.metrics} == methods


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_searches_of_all_seeds_share_one_generator(micrographia):
    runs = [micrographia("superresolve", *TINY, f"seed={seed}") for seed in (0, 1)]
    assert runs[0].folder != runs[1].folder
    for model in ("stylegan2", "latent_flow"):
        assert len(list((runs[0].folder.parents[1] / "train").glob(f"{model}-*/result.json"))) == 1


@pytest.mark.usefixtures("kept_runs")
def test_a_killed_search_goes_on_with_the_images_that_are_missing(micrographia):
    run = micrographia("superresolve", *TINY)
    before = run.table("images")
    (run.folder / "result.json").unlink()
    kept = run.folder / "solutions" / "rls"
    stamps = {file: file.stat().st_mtime_ns for file in kept.iterdir()}
    again = micrographia("superresolve", *TINY)
    assert {file: file.stat().st_mtime_ns for file in kept.iterdir()} == stamps
    pd.testing.assert_frame_equal(again.table("images"), before)


@pytest.mark.usefixtures("undrawn")
def test_without_flow_and_measurement(micrographia):
    run = micrographia(
        *("superresolve", *GENERATOR, "methods.no_regularization.schedule.steps=4", "flow=none", "measurement=none"),
        *("~methods.rls", "data=synthetic/cells", "data.size=32", "data.count=60", "images=1"),
    )
    assert not (run.folder / "tables" / "measurements.csv").exists()
    assert "image/psnr/bicubic" in run.metrics
    assert "image_all/psnr/no_regularization" in run.metrics
    assert "image/psnr/no_regularization" not in run.metrics  # nobody knows which codes are typical
    searched = run.table("images").query("method == 'no_regularization'")
    assert searched["flag"].str.contains("typicality unknown").all()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("preset", ["bbbc021", "translocation", "golgi", "plankton", "yeast", "human_cells", "demo"])
def test_every_preset_runs(preset, micrographia, real_layouts):
    simulated = ASSAY[1:4] if preset in ("golgi", "demo") else ()
    run = micrographia(
        *(
            "superresolve",
            f"experiment=rls/{preset}",
            *GENERATOR,
            *FLOW,
            *simulated,
            *SEARCH,
            "data.size=32",
            "images=1",
        )
    )
    for method in ("bicubic", "no_regularization", "rls"):
        assert np.isfinite(run.metrics[f"image_all/psnr/{method}"])
        assert np.isfinite(run.table("images").query("method == @method")["lr_residual"]).all()


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """Folder of a trained generator of 32 px and two channels."""
    folder = tmp_path_factory.mktemp("generator")
    options = [option.removeprefix("generator.") for option in GENERATOR]
    training = ("train", "model=stylegan2", "data=synthetic/translocation", "budget.steps=null", *ASSAY[:-1], *options)
    assert command([*training, f"how.paths.runs={folder}", "how.progress=false"]) == 0
    return next((folder / "train").glob("stylegan2-*"))


def test_low_resolution_images_of_ones_own_come_back_in_their_units(generator, micrographia, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(100, 3000, (3, 2, 4, 4), dtype=np.uint16)
    pixels[2] = 100  # nothing to see
    for number, image in enumerate(pixels):
        tifffile.imwrite(folder / f"{number}.tif", image, metadata={"axes": "CYX"})
    run = micrographia(
        *("superresolve", "data=image_folder", f"data.root={folder}", "data.model_channels=2"),
        *(f"generator={generator}", "flow=none", "~methods.rls", SEARCH[1]),
    )
    images = run.table("images")
    assert len(images) == 2 * 3
    assert images.query("key == 2")["flag"].eq("constant").all()
    assert set(run.table("measurements")["method"]) == {"bicubic", "no_regularization"}
    for method in ("bicubic", "no_regularization"):
        written = sorted((run.folder / "images" / method).glob("*.ome.tif"))
        assert [file.name for file in written] == ["0.ome.tif", "1.ome.tif"]
        image = tifffile.imread(written[0])
        assert image.dtype == np.uint16
        assert image.shape == (2, 32, 32)
        assert 255 < image.max() <= 8000  # the generator's limits
        if method == "bicubic":
            assert image.mean() == pytest.approx(pixels[0].mean(), rel=0.1)


@pytest.mark.usefixtures("kept_runs")
def test_a_run_that_makes_no_images_is_refused_as_generator(micrographia, capsys):
    run = micrographia("superresolve", *TINY)
    flow = next((run.folder.parents[1] / "train").glob("latent_flow-*"))
    micrographia("superresolve", f"generator={flow}", *ASSAY, status=2)
    assert "makes no images. Name a run of model=stylegan2" in capsys.readouterr().err


def test_an_encoder_of_another_factor_is_refused(generator, micrographia, capsys, tmp_path):
    tiny = ("budget.steps=2", "budget.batch_size=4", "budget.validate_every=1", "model.filters=4", "model.blocks=1")
    encoder = micrographia(
        *("train", "model=latent_encoder", "data=synthetic/translocation", *ASSAY[:-1], *tiny),
        *(
            f"model.generator.run={generator}",
            "model.flow.run=null",
            *(f"model.terms.{name}.weight=0" for name in PRIORS),
        ),
    )
    given = ("flow=none", "~methods.rls", *ASSAY, "degradation.steps.reduce.factor=4")
    micrographia("superresolve", f"generator={generator}", f"encoder={encoder.folder}", *given, status=2)
    assert "it undoes a reduction by 8, not by 4" in capsys.readouterr().err
    given = (*given[:-1], "degradation=average_pooling")
    micrographia("superresolve", f"generator={generator}", f"encoder={encoder.folder}", *given, status=2)
    assert "it undoes another degradation than the config's" in capsys.readouterr().err


def test_deep_images_of_two_channels_fit_a_generator_of_three(micrographia, tmp_path):
    draws = np.random.default_rng(0)
    for side in (32, 4):
        (tmp_path / f"{side}").mkdir()
        for number in range(12):
            image = draws.integers(100, 4000, (2, side, side), dtype=np.uint16)
            tifffile.imwrite(tmp_path / f"{side}" / f"{number}.tif", image, metadata={"axes": "CYX"})
    options = [option.removeprefix("generator.") for option in GENERATOR]
    own = ("data=image_folder", f"data.root={tmp_path / '32'}", "data.size=32", "budget.steps=null")
    trained = micrographia("train", "model=stylegan2", *own, *options)
    run = micrographia(
        *("superresolve", "data=image_folder", f"data.root={tmp_path / '4'}", f"generator={trained.folder}"),
        *("flow=none", "~methods.rls", "measurement=none", SEARCH[1]),
    )
    assert run.table("images").query("method == 'bicubic'")["flag"].eq("").all()


def test_deep_images_are_scaled_as_the_generator_has_learned_them(micrographia, tmp_path):
    draws = np.random.default_rng(0)
    for side, highest in ((32, 4000), (4, 900)):
        (tmp_path / f"{side}").mkdir()
        for number in range(12):
            image = draws.integers(100, highest, (1, side, side), dtype=np.uint16)
            tifffile.imwrite(tmp_path / f"{side}" / f"{number}.tif", image, metadata={"axes": "CYX"})
    own = ("data=image_folder", "data.model_channels=1")
    options = [option.removeprefix("generator.") for option in GENERATOR]
    trained = micrographia(
        *("train", "model=stylegan2", *own, f"data.root={tmp_path / '32'}", "data.size=32", "budget.steps=null"),
        *options,
    )
    run = micrographia(
        *("superresolve", *own, f"data.root={tmp_path / '4'}", f"generator={trained.folder}", "flow=none"),
        *("~methods.rls", "measurement=none", SEARCH[1]),
    )
    assert run.record("data")["limits"] == trained.record("model")["data"]["limits"]


@pytest.mark.parametrize(
    ("side", "options", "answer"),
    [
        (6, ("given=low",), "images of 6 px"),
        (6, (), "between the generator's 32 and the 4"),
        (4, ("generator=trained", *GENERATOR, "data.size=32"), "it would learn from these low-resolution images"),
        (4, ("data.model_channels=1", "data.channels=[0]"), "it makes 2 channels, the images of image_folder have 1"),
        (4, ("measurement.channels=[dna,reporter,actin]",), "measurement.channels names dna, reporter, actin"),
        (4, ("measurement.illumination_px=8",), "illumination is taken from images of high resolution"),
        (4, ("encoder=trained",), "encoder: it would learn from these low-resolution images"),
        (4, ("+inversion@methods.supervised=supervised",), "methods.supervised.network: it would learn from these"),
        (4, ("data.fit=resize",), "data.fit=resize hides the size of the images"),
        (4, ("untold=blur",), "untold.blur: these images are of low resolution themselves"),
        (4, ("data.size=32",), "data.size=32: a generator of 32 px takes low-resolution images of 4 px"),
    ],
)
def test_images_that_do_not_fit_are_answered(side, options, answer, generator, micrographia, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    tifffile.imwrite(folder / "0.tif", np.zeros((2, side, side), np.uint8), metadata={"axes": "CYX"})
    if "generator=trained" not in options:
        options = (*options, f"generator={generator}")
    options = ("data.model_channels=2", "flow=none", "~methods.rls", *options)
    micrographia("superresolve", "data=image_folder", f"data.root={folder}", *options, status=2)
    assert answer in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_an_image_with_nan_is_flagged_and_harms_no_other(generator, micrographia, tmp_path):
    draws = np.random.default_rng(0)
    own = ("data=image_folder", "data.model_channels=2", "data.intensity=dtype", f"generator={generator}", "flow=none")
    found = []
    for folder, spoiled in (("whole", None), ("spoiled", np.nan), ("infinite", np.inf)):
        (tmp_path / folder).mkdir()
        draws = np.random.default_rng(0)
        for number in range(3):
            image = draws.random((2, 4, 4), dtype=np.float32)
            if number == 1 and spoiled is not None:
                image[0, 0, 0] = spoiled
            tifffile.imwrite(tmp_path / folder / f"{number}.tif", image, metadata={"axes": "CYX"})
        options = ("~methods.rls", "methods.no_regularization.schedule.steps=3", f"data.root={tmp_path / folder}")
        found.append(micrographia("superresolve", *own, *options))
    whole, *others = (run.table("images").set_index(["method", "file"]) for run in found)
    for table, run in zip(others, found[1:], strict=True):
        assert table["flag"].str.contains("NaN pixels").tolist() == [False, True, False] * 2
        kept = ~table["flag"].str.contains("NaN pixels")
        pd.testing.assert_frame_equal(table[kept], whole[kept], check_like=True, check_dtype=False, rtol=1e-4)
        assert len(list((run.folder / "images").rglob("*.ome.tif"))) == 4


@pytest.mark.parametrize(
    ("sides", "answer"),
    [
        ([(4, 4), (4, 4), (40, 40)], "0.tif, 4 x 4 px, as low-resolution images are, and 2.tif, 40 x 40 px"),
        ([(4, 4), (3, 4)], "not square: 1.tif, 4 x 3 px"),
    ],
)
def test_folders_of_several_sizes_are_answered(sides, answer, generator, micrographia, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, (height, width) in enumerate(sides):
        image = np.zeros((2, height, width), np.uint8)
        tifffile.imwrite(folder / f"{number}.tif", image, metadata={"axes": "CYX"})
    own = ("data=image_folder", f"data.root={folder}", "data.model_channels=2", "flow=none", "~methods.rls")
    micrographia("superresolve", *own, f"generator={generator}", status=2)
    assert answer in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (("data=synthetic/golgi",), "of which data=golgi knows nothing. Set measurement=golgi"),
        (("data.size=64",), "the generator makes images of 32 px"),
        (("given=low",), "given=low: these images are rendered"),
        (("degradation.steps.reduce.factor=32",), "32 px reduced 32 times are a single pixel"),
        (
            ("contrast={column: dose, negative: 0, positive: 7}",),
            "contrast.positive=7: no such value in the column dose",
        ),
        (("contrast={column: dosis, negative: 0, positive: 7}",), "has no column dosis"),
        (("degradation.steps.reduce.factor=5",), "32 px cannot be reduced 5 times"),
        (("contrast={column: dose, negative: 0, positive: 100, well: hole}",), "has no column hole"),
        (("contrast={column: dose, negative: 0, positive: 100, replicate: field}",), "here wells are resampled"),
        (("encoder=path", "encoder.run=pretrained/ada_gvae"), "a AdaGVAE makes no codes"),
        (
            ("methods.no_regularization.solutions=2", "intervals.part=test"),
            "must be calibrated on other images than part=test",
        ),
        (("+inversion@methods.extra=rls",), "needs a flow"),
        (("methods.bicubic=null", "methods.no_regularization=null"), "methods: none is left"),
        (("methods.bicubic=5",), "methods.bicubic=5: no method"),
        (("untold.noise=5",), "untold.noise=5: no filter and no noise"),
        (("untold=gaussian_noise", "untold.noise.sigma=-1"), "sigma=-1 must be above 0"),
        (
            ("+untold.pool={_target_: micrographia.degradations.AveragePooling, factor: 2}",),
            "untold.pool: it reduces the image, which belongs into degradation.steps",
        ),
    ],
)
def test_mistakes_are_answered_before_any_search(options, answer, generator, micrographia, capsys, tmp_path):
    micrographia("superresolve", f"generator={generator}", "flow=none", "~methods.rls", *ASSAY, *options, status=2)
    assert answer in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.usefixtures("kept_runs")
def test_a_flow_of_another_generator_is_refused(micrographia, capsys):
    run = micrographia("superresolve", *TINY)
    flow = next((run.folder.parents[1] / "train").glob("latent_flow-*"))
    micrographia("superresolve", *GENERATOR, *ASSAY, "generator.seed=1", f"flow={flow}", status=2)
    assert "has learned the latents of another generator" in capsys.readouterr().err


@pytest.mark.usefixtures("kept_runs", "undrawn")
def test_conditions_are_compared_as_numbers_where_they_are(micrographia):
    run = micrographia(
        *(
            "superresolve",
            *GENERATOR,
            *ASSAY,
            SEARCH[1],
            "flow=none",
            "~methods.rls",
            "measurement.nuclei.diameter_px=9",
        ),
        "contrast={column: dose, negative: 0, positive: 100}",
    )
    assert set(run.table("measurements").query("method == 'hr'")["dose"]) == {0, 0.1, 0.3, 1, 3, 10, 30, 100}
    assert len(run.table("measurements").query("method == 'hr'")) == 16

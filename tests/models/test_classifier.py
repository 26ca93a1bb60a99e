import math
from functools import partial

import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import Callback, Trainer

from micrographia.config import config_directory, instantiate
from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.models.augmentation import flip_and_turn
from micrographia.models.classifier import CNN, TransferClassifier, balanced_accuracy
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import ConvNetwork, FeatureNetwork, ReferenceConvNetwork

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")

CLASSES = ("dark", "bright", "striped")
ADAM = partial(torch.optim.Adam, lr=1e-3)


class Patterns(IndexedImages):
    """Noisy images of three patterns that anyone can tell apart; the first class has most images."""

    def __init__(self, side=32, count=96):
        super().__init__()
        self.name = "patterns"
        self.shape = (3, side, side)
        self.classes = CLASSES
        self.codes = (torch.arange(count) % 4 - 1).clamp(min=0)
        noise = torch.randint(0, 60, (count, *self.shape), generator=step_generator(0, 0))
        pattern = torch.zeros(3, side, side)
        pattern[1] = 150
        pattern[2, ::4] = pattern[2, 1::4] = 150
        self.items = (noise + pattern[self.codes][:, None]).to(torch.uint8)

    def images(self, indices):
        return self.items[indices]

    def indices(self, part):
        parts = torch.arange(len(self.codes)) // 4 % 4
        return torch.nonzero({"train": parts < 2, "val": parts == 2, "test": parts == 3}[part]).flatten()

    def table(self, indices):
        return pd.DataFrame({"class": [CLASSES[code] for code in self.codes[indices]]})


def source(network=ConvNetwork, shape=(3, 32, 32), latents=6):
    model = BetaVAE("beta_vae", shape, network, latents, ADAM, seed=3)
    model.latent_names = ["Shape", *model.latent_names[1:]]
    return model.eval()


def cnn(**options):
    return CNN("cnn", (3, 32, 32), CLASSES, ADAM, **{"seed": 0, "filters": 8} | options)


def transfer(source_model=None, **options):
    source_model = source_model or source()
    options = {"seed": 0, "hidden": [16]} | options
    return TransferClassifier("transfer", source_model.shape, CLASSES, ADAM, source_model=source_model, **options)


def fit(model, data, steps=20, interval=10, checkpoint=None, save=None, stop=None):
    data.fit(0, 16, steps, interval=interval, labelled=True)

    class Save(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if save is not None and model.batches == stop:
                trainer.save_checkpoint(save)

    trainer = Trainer(
        max_epochs=math.ceil((stop or steps) / interval),
        accelerator="cpu",
        logger=False,
        callbacks=[Save()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        reload_dataloaders_every_n_epochs=1,
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return trainer


def accuracy(model, data, part="test"):
    indices = data.indices(part)
    probabilities = torch.cat([model.predict_proba(chunk) for chunk in data.chunks(indices)])
    assert torch.allclose(probabilities.sum(1), torch.ones(len(indices)))
    return float((probabilities.argmax(1) == data.targets(indices)).float().mean())


@pytest.mark.parametrize("build", [cnn, partial(transfer, tune="all", encoder_lr_factor=1.0)])
def test_learns_a_separable_set(build):
    data, model = Patterns(), build()
    before = accuracy(model, data)
    fit(model, data, steps=60, interval=20)
    assert (model.batches, model.images) == (60, 960)
    assert set(model.parts) == {"loss", "accuracy"}
    assert before < 0.8 < accuracy(model, data)


NETWORKS = [
    pytest.param(ConvNetwork, (3, 32, 32), id="conv"),
    pytest.param(partial(ReferenceConvNetwork, filters=8), (3, 32, 32), id="reference_conv"),
    pytest.param(partial(FeatureNetwork, filters=8), (5,), id="features"),
]


@pytest.mark.parametrize(("network", "shape"), NETWORKS)
@pytest.mark.parametrize("tune", ["none", "last", "all"])
def test_gradients_reach_what_is_tuned_and_nothing_else(network, shape, tune):
    original = source(network, shape)
    if len(shape) == 1:
        original.network.set_range([torch.tensor([0.0, 1.0])])
    model = transfer(original, tune=tune).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = model.configure_optimizers()
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    batch = {"image": torch.rand(8, *shape, generator=step_generator(0, 1)), "target": torch.arange(8) % 3}
    model.training_step(batch, 0).backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}

    weights = {name for name, _ in model.network.encoder.named_parameters() if ".logvar." not in f".{name}"}
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in weights))
    ordered = [name for name, _ in original.network.encoder.named_modules() if name in layers]
    tuned = {"none": [], "last": ordered[-2:], "all": ordered}[tune]
    expected = {f"network.encoder.{name}" for name in weights if name.rpartition(".")[0] in tuned}
    statistics = {name for name in moved if "running_" in name or "num_batches" in name}
    assert {name for name in moved if name.startswith("network.")} - statistics == expected
    assert {name for name in moved if name.startswith("head.")} == {n for n in before if n.startswith("head.")}
    assert bool(statistics) == (tune == "all" and "running_mean" in "".join(before))


@pytest.mark.parametrize("tune", ["none", "last"])
def test_frozen_batch_norms_keep_the_statistics_of_the_source(tune):
    model = transfer(source(partial(ReferenceConvNetwork, filters=8)), tune=tune).train()
    norms = [module for module in model.network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 3
    assert not any(norm.training for norm in norms)
    assert model.head.training
    data = Patterns()
    before = [norm.running_mean.clone() for norm in norms]
    fit(model, data, steps=4, interval=2)
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))


def test_encoder_learns_at_a_lower_rate():
    head, encoder = transfer(tune="all", encoder_lr_factor=0.1).configure_optimizers().param_groups
    assert head["lr"] == 1e-3
    assert encoder["lr"] == pytest.approx(1e-4)
    assert len(transfer(tune="none").configure_optimizers().param_groups) == 1
    assert {group["lr"] for group in cnn().configure_optimizers().param_groups} == {1e-3}


def test_source_model_stays_as_it_was_and_its_decoder_is_left_out():
    original = source()
    before = {name: value.clone() for name, value in original.state_dict().items()}
    model = transfer(original, tune="all")
    images = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(model.embed(images), original.encode(images)[0])
    fit(model, Patterns(), steps=4, interval=2)
    assert all(torch.equal(value, before[name]) for name, value in original.state_dict().items())
    assert all(parameter.requires_grad for parameter in original.parameters())
    assert not any("decoder" in name for name in model.state_dict())
    assert model.latent_names == original.latent_names


@pytest.mark.parametrize("select", ["best", "last"])
@pytest.mark.parametrize("build", [cnn, partial(transfer, tune="last", augment=True)])
def test_resumed_training_is_bit_equal(build, select, tmp_path):
    data, build = Patterns(), partial(build, select=select)
    whole = build()
    fit(whole, data, steps=12, interval=4)
    fit(build(), data, steps=12, interval=4, save=tmp_path / "last.ckpt", stop=8)
    resumed = build()
    fit(resumed, data, steps=12, interval=4, checkpoint=tmp_path / "last.ckpt")
    assert (resumed.batches, resumed.images) == (whole.batches, whole.images) == (12, 192)
    for (name, ours), theirs in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    if select == "best":
        assert (whole.best["score"], whole.best["batches"]) == (resumed.best["score"], resumed.best["batches"])


def test_checkpoint_holds_tensors_and_primitives_only(tmp_path):
    fit(cnn(), Patterns(), steps=4, interval=4, save=tmp_path / "last.ckpt", stop=4)
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["counters"] == {"batches": 4, "images": 64}
    assert set(checkpoint["best"]) == {"score", "batches", "weights"}


class Scripted(CNN):
    """A classifier whose validation scores are given, and whose weights say when they were taken."""

    scores = (0.5, 0.9, 0.9, 0.7)

    def on_validation_epoch_end(self):
        number = max(self.batches // 2 - 1, 0)
        share = self.scores[number]
        self.confusion.confmat = torch.tensor([[100 * share, 100 * (1 - share), 0], [0, 0, 0], [0, 0, 0]]).long()
        self.head[0].bias.data.fill_(self.batches)
        super().on_validation_epoch_end()


@pytest.mark.parametrize(("select", "taken"), [("best", 4), ("last", 8)])
def test_ends_with_the_selected_weights(select, taken):
    model = Scripted("cnn", (3, 32, 32), CLASSES, ADAM, seed=0, filters=2, select=select)
    fit(model, Patterns(), steps=8, interval=2)
    assert model.head[0].bias.tolist() == [taken] * 3  # of equals the earlier, and no sanity check


def test_validation_reports_balanced_accuracy():
    data, model = Patterns(), cnn()
    trainer = fit(model, data, steps=40, interval=40)
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}
    indices = data.indices("val")
    predicted = model.predict_proba(next(data.chunks(indices))).argmax(1)
    right = predicted == data.targets(indices)
    recalls = [float(right[data.targets(indices) == code].float().mean()) for code in range(3)]
    assert found["val/balanced_accuracy"] == pytest.approx(sum(recalls) / 3)
    assert found["val/accuracy"] == pytest.approx(float(right.float().mean()))
    assert found["val/loss"] > 0


def test_classes_weigh_the_same_if_asked_to():
    data = Patterns()
    balanced, plain = cnn(class_weights="balanced"), cnn(class_weights="none")
    fit(balanced, data, steps=2, interval=2)
    fit(plain, data, steps=2, interval=2)
    counts = data.targets(data.indices("train")).bincount()
    assert counts.tolist() == [24, 12, 12]
    torch.testing.assert_close(balanced.class_weights * counts, torch.full((3,), 16.0))
    assert plain.class_weights.tolist() == [1, 1, 1]
    data.sampling = "balanced"  # they are drawn equally often: weights would count the rare ones twice
    even = cnn(class_weights="balanced")
    fit(even, data, steps=2, interval=2)
    assert even.class_weights.tolist() == [1, 1, 1]


def test_augmentation_draws_all_eight_orientations_from_the_generator():
    image = torch.arange(9.0).view(1, 1, 3, 3).expand(400, -1, -1, -1)
    turned = flip_and_turn(image, step_generator(0, 0))
    seen = {tuple(each.flatten().tolist()) for each in turned}
    square = image[0, 0]
    turns = [square.rot90(quarter) for quarter in range(4)] + [square.T.rot90(quarter) for quarter in range(4)]
    assert seen == {tuple(each.flatten().tolist()) for each in turns}
    assert torch.equal(turned, flip_and_turn(image, step_generator(0, 0)))
    oblong = torch.rand(50, 1, 2, 5)
    assert flip_and_turn(oblong, step_generator(0, 0)).shape == oblong.shape


def test_prediction_ignores_the_mode_and_keeps_it():
    model = cnn().train()
    images = torch.rand(6, 3, 32, 32)
    together = model.predict_proba(images)
    torch.testing.assert_close(model.predict_proba(images[:1]), together[:1])
    assert model.training


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = cnn()
    torch.manual_seed(2)
    again, other = cnn(), cnn(seed=1)
    assert torch.equal(first.head[0].weight, again.head[0].weight)
    assert not torch.equal(first.head[0].weight, other.head[0].weight)


def test_balanced_accuracy_of_a_constant_answer_is_chance():
    assert balanced_accuracy(torch.tensor([[90, 0, 0], [5, 0, 0], [5, 0, 0]])) == pytest.approx(1 / 3)


def test_loss_that_is_not_finite_is_a_user_error():
    batch = {"image": torch.full((2, 3, 32, 32), float("nan")), "target": torch.tensor([0, 1])}
    with pytest.raises(UserError, match=r"optimizer\.lr"):
        cnn().training_step(batch, 0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CNN("cnn", (5,), CLASSES, ADAM, seed=0), "backbone=none"),
        (lambda: CNN("cnn", (3, 16, 16), CLASSES, ADAM, seed=0), "data.size"),
        (lambda: CNN("cnn", (3, 32, 32), ("one",), ADAM, seed=0), "two classes"),
        (lambda: transfer(encoder_lr_factor=0.0), "encoder_lr_factor"),
        (lambda: TransferClassifier("t", (3, 64, 64), CLASSES, ADAM, 0, source()), "data.size"),
    ],
)
def test_impossible_choices_are_user_errors(build, message):
    with pytest.raises(UserError, match=message):
        build()


@pytest.mark.parametrize("name", ["cnn", "transfer_classifier"])
def test_shipped_configs_build_their_model(name):
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        node = compose(f"model/{name}").model
    given = {"shape": (3, 32, 32), "classes": CLASSES, "optimizer": ADAM, "seed": 0}
    if name == "transfer_classifier":
        assert node.source.run == "pretrained/ada_gvae"
        node = {key: value for key, value in node.items() if key != "source"}
        given["source_model"] = source()
    model = instantiate(node, "model", **given)
    assert model.name == name
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 3)

import os
import pickle
import resource
import shutil
import signal
from functools import partial

import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import ConvNetwork
from micrographia.training.checkpoints import AtomicCheckpointIO, load_weights, read_checkpoint, save_weights
from micrographia.training.curves import CurveLogger
from micrographia.training.fit import count_steps, fit

HOW = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "threads": None, "progress": False, "log_every": 2}
BUDGET = {"steps": 10, "epochs": None, "batch_size": 8, "validate_every": 4}


def model(latents=3, learning_rate=1e-3):
    return BetaVAE(
        name="beta_vae",
        shape=(1, 16, 16),
        network=ConvNetwork,
        latents=latents,
        optimizer=partial(torch.optim.Adam, lr=learning_rate),
        seed=0,
    )


class Killed(BaseException):
    """Stands for a signal that ends the process."""


class Mortal(BetaVAE):
    """Dies at its seventh batch."""

    def training_step(self, batch, batch_idx):
        if self.batches == 7:
            raise Killed
        return super().training_step(batch, batch_idx)


def train(module, data, folder, budget=BUDGET, **how):
    folder.mkdir(exist_ok=True)
    fit(module, data, budget, {**HOW, **how}, folder, "test", seed=0, loggers=[CurveLogger(str(folder))])
    return module


def test_trains_the_budget_and_writes_weights_and_curves(tmp_path, squares):
    module = train(model(), squares, tmp_path / "run")
    assert (module.batches, module.images) == (10, 80)
    curves = pd.read_csv(tmp_path / "run" / "curves.csv")
    assert curves.query("name == 'train/loss'")["batches"].tolist() == [2, 4, 6, 8, 10]
    assert curves.query("name == 'train/loss'")["images"].tolist() == [16, 32, 48, 64, 80]
    assert curves.query("name == 'val/loss'")["batches"].tolist() == [4, 8, 10]
    assert curves.query("name == 'val/loss'")["value"].is_unique  # each validation sees its images anew
    restored = model()
    load_weights(restored, tmp_path / "run" / "weights.safetensors")
    for ours, theirs in zip(module.parameters(), restored.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_killed_training_goes_on_and_ends_bit_equal(tmp_path, squares):
    whole = train(model(), squares, tmp_path / "whole")
    mortal = model()
    mortal.__class__ = Mortal
    with pytest.raises(Killed):
        train(mortal, squares, tmp_path / "killed")
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    resumed = train(model(), squares, tmp_path / "killed")
    assert (resumed.batches, resumed.images) == (10, 80)
    for ours, theirs in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "whole" / "curves.csv"), pd.read_csv(tmp_path / "killed" / "curves.csv")
    )


class Interrupted(BetaVAE):
    """Hears Ctrl-C at its seventh batch."""

    def training_step(self, batch, batch_idx):
        if self.batches == 7:
            signal.raise_signal(signal.SIGINT)
        return super().training_step(batch, batch_idx)


def test_an_interrupt_is_passed_on_and_leaves_a_checkpoint(tmp_path, squares):
    mortal = model()
    mortal.__class__ = Interrupted
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(mortal, squares, tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning leaves the signal ignored
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["state_dict"]


def test_the_validation_interval_changes_no_weight(tmp_path, squares):
    often = train(model(), squares, tmp_path / "often", {**BUDGET, "validate_every": 2})
    once = train(model(), squares, tmp_path / "once", {**BUDGET, "validate_every": 100})
    assert torch.equal(next(often.parameters()), next(once.parameters()))


def test_a_longer_budget_goes_on_from_the_end_of_a_validation_only(tmp_path, squares):
    """Data go on where a validation began, noise at the next batch: these must be one place."""
    longer = {**BUDGET, "steps": 15}
    for name, steps in (("whole", 15), ("at the end", 10), ("between", 7)):
        train(model(), squares, tmp_path / name, {**BUDGET, "steps": steps, "validate_every": 5})
    for name in ("at the end", "between"):
        (tmp_path / f"{name}, longer").mkdir()
        shutil.copy(tmp_path / name / "last.ckpt", tmp_path / f"{name}, longer")
    resumed = train(model(), squares, tmp_path / "at the end, longer", {**longer, "validate_every": 5})
    whole = model()
    load_weights(whole, tmp_path / "whole" / "weights.safetensors")
    assert torch.equal(next(resumed.parameters()), next(whole.parameters()))
    with pytest.raises(UserError, match="ends at batch 7, which is no multiple"):
        train(model(), squares, tmp_path / "between, longer", {**longer, "validate_every": 5})


def test_half_precision_on_a_cpu_is_refused(tmp_path, squares):
    with pytest.raises(UserError, match=r"how\.precision=16-mixed"):
        train(model(), squares, tmp_path / "run", precision="16-mixed")


def test_epochs_count_passes_over_the_training_part(squares):
    assert count_steps({"epochs": 3, "steps": None, "batch_size": 10}, squares) == (12, 4)


@pytest.mark.parametrize(("kimg", "expected"), [(0.1, (10, 4)), (0.101, (11, 4)), (0.02, (2, 2))])
def test_kimg_count_thousands_of_images(squares, kimg, expected):
    budget = {"epochs": None, "steps": None, "kimg": kimg, "batch_size": 10, "validate_every": 4}
    assert count_steps(budget, squares) == expected


@pytest.mark.parametrize(("every", "expected"), [("0.03kimg", 3), ("0.025kimg", 3), ("5kimg", 10), (4, 4)])
def test_validations_come_every_so_many_images_whatever_a_batch_holds(squares, every, expected):
    budget = {"epochs": None, "steps": 10, "kimg": None, "batch_size": 10, "validate_every": every}
    assert count_steps(budget, squares) == (10, expected)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, squares):
    with pytest.raises(UserError, match=r"loss is nan.*optimizer\.lr"):
        train(model(learning_rate=1e30), squares, tmp_path / "run")
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path, squares):
    train(model(latents=3), squares, tmp_path / "run")
    with pytest.raises(UserError, match="another architecture"):
        train(model(latents=4), squares, tmp_path / "run")
    with pytest.raises(UserError, match=r"weights of another architecture \(network\.decoder"):
        load_weights(model(latents=4), tmp_path / "run" / "weights.safetensors")


class Harmful:
    """Executes code when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("executed",))


def test_a_checkpoint_that_would_execute_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Harmful()}, "harmful.ckpt", pickle_module=pickle)
    with pytest.raises(UserError, match=r"harmful\.ckpt: not loaded.*could execute code"):
        read_checkpoint(tmp_path / "harmful.ckpt")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a file"])
def test_a_damaged_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"last\.ckpt"):
        read_checkpoint(path)


def test_a_full_disk_keeps_the_former_files(tmp_path):
    """A limit on the size of files stands for the full disk: the writers of torch and safetensors see the same."""
    weights, checkpoint = tmp_path / "weights.safetensors", tmp_path / "last.ckpt"
    writer = AtomicCheckpointIO()
    save_weights(model(), weights)
    writer.save_checkpoint({"state_dict": model().state_dict()}, checkpoint)
    former = weights.read_bytes(), checkpoint.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(UserError, match=r"weights\.safetensors: cannot be written \(File too large"):
            save_weights(model(latents=4), weights)
        with pytest.raises(UserError, match=r"last\.ckpt: cannot be written \(File too large"):
            writer.save_checkpoint({"state_dict": model(latents=4).state_dict()}, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (weights.read_bytes(), checkpoint.read_bytes()) == former
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "weights.safetensors"]


def test_batches_travel_to_loader_processes_that_start_afresh(tmp_path, squares):
    train(model(), squares, tmp_path / "run")
    loader = squares.fit(0, 8, 10, interval=10).train_dataloader()
    travelled = pickle.loads(pickle.dumps(loader.dataset))
    assert torch.equal(travelled[3]["image"], loader.dataset[3]["image"])


class Workers(IndexedImages):
    """Images that say which process drew them."""

    name = "workers"
    shape = (1, 1, 1)

    def images(self, indices):
        return torch.full((len(indices), 1, 1, 1), float(os.getpid()))

    def indices(self, part):
        return torch.arange(8)


def test_loader_processes_outlast_an_epoch_and_end_with_the_training():
    data = Workers().fit(0, 4, 6, interval=2, workers=1)
    drew = [{int(batch["image"][0]) for batch in data.train_dataloader()} for _ in range(3)]
    assert drew[0] == drew[1] == drew[2]
    assert drew[0] != {os.getpid()}
    loader = data.train_dataloader()
    data.teardown("fit")
    assert data.train_dataloader() is not loader


def test_a_checkpoint_keeps_what_was_fitted_to_the_data(tmp_path, squares):
    train(model(), squares, tmp_path / "run")
    kept = read_checkpoint(tmp_path / "run" / "last.ckpt")[type(squares).__qualname__]
    assert kept == {"record": squares.record()}

"""What a finished training of a generator says of itself."""

from micrographia.data.datamodule import IndexedImages
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.runs.run import Metrics, Run
from micrographia.training.samples import Samples


def describe_generator(model: StyleGAN2, data: IndexedImages, run: Run) -> Metrics:
    """Draw samples, and return distances to the training images and where the training stands."""
    samples = Samples(model, data, run)
    samples.draw("samples")
    return samples.measure() | {
        "gan/kimg": model.images / 1000,
        "gan/augment": float(model.augmentation.probability),
        "gan/path_length": float(model.path_mean),
        "gan/r1": float(model.last_r1),
    }

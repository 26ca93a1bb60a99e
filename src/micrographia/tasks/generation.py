"""What finished trainings of a generator, and of a flow over its codes, say of themselves."""

import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.data.latents import LatentCodes
from micrographia.models.flow import LatentFlow, compared_spaces
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.runs.run import Metrics, Run
from micrographia.scores.gaussianisation import gaussianisation
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


@torch.no_grad()
def describe_flow(model: LatentFlow, data: IndexedImages, run: Run) -> Metrics:
    """Compare Z, W, PULSE's space and the flow's base with a normal, on test codes; return their KS distances."""
    assert isinstance(data, LatentCodes)
    test = data.indices("test")
    w = torch.cat(list(data.chunks(test)))
    table = run.save_table("gaussianisation", gaussianisation(compared_spaces(data.draw(test), w, model)))
    log_prob = torch.cat([model.log_prob(chunk.to(model.mean)) for chunk in data.chunks(test)])
    distances = {f"gaussianisation/{row['space']}/ks": row["ks"] for row in table.to_dict("records")}
    return {"flow/nats_per_dimension": float(-log_prob.mean() / model.shape[0]), **distances}

"""How many images fit into a memory budget."""

from collections.abc import Callable

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

PEAK = 2.0
"""Memory at the peak of a step over what autograd keeps: gradients of the largest layers, and moments."""


def bytes_per_image(loss: Callable[[int], Tensor]) -> float:
    """Memory that one more image takes in a step of a search.

    Parameters
    ----------
    loss
        Of so many images, with its graph.
    """
    return PEAK * (kept_bytes(lambda: loss(2)) - kept_bytes(lambda: loss(1)))


def kept_bytes(compute: Callable[[], Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass, each storage once; the same on every device."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        result = compute()  # bound, so that its storages live, each at an address of its own, until they are counted
    assert result.requires_grad
    return sum(kept.values())

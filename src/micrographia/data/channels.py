"""Which of an image's channels become the model's: one rule for data sets, backbones and the run's record."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from micrographia.errors import UserError


@dataclass(frozen=True)
class ChannelMapping:
    """For each of the model's channels, the image's channel that fills it.

    Attributes
    ----------
    sources : tuple of int or None
        Number of the image's channel; None is a channel of zeros.
    names : tuple of str
        Names of all of the image's channels.
    """

    sources: tuple[int | None, ...]
    names: tuple[str, ...]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Channels of an image or of many, ``(..., channels, height, width)``, in the model's order."""
        blank = np.zeros_like(image[..., 0, :, :])
        planes = [blank if source is None else image[..., source, :, :] for source in self.sources]
        return np.stack(planes, axis=-3)

    @property
    def blank(self) -> tuple[int, ...]:
        """The model's channels that are zero."""
        return tuple(number for number, source in enumerate(self.sources) if source is None)

    @property
    def repeats(self) -> bool:
        """Whether one of the image's channels fills several of the model's."""
        shown = [source for source in self.sources if source is not None]
        return len(set(shown)) < len(shown)

    def describe(self) -> str:
        """The mapping in words, for records and tables: the image's channels in the model's order.

        Examples
        --------
        >>> map_channels(("DAPI", "actin")).describe()
        'DAPI, actin, zero'
        """
        return ", ".join("zero" if source is None else self.names[source] for source in self.sources)


def map_channels(
    names: Sequence[str], chosen: Sequence[int | str] | None = None, model_channels: int = 3
) -> ChannelMapping:
    """Map an image's channels to the model's.

    One channel is repeated; fewer than the model takes fill the first, the others are zero; as many are taken as they
    are; of more, as many as the model takes must be chosen.

    Parameters
    ----------
    names
        Names of the image's channels.
    chosen
        Names or numbers (from 0) of the channels to take, in the model's order; None takes all.
    model_channels
        Number of channels that the model takes.

    Raises
    ------
    UserError
        If there are too many channels, or a chosen one does not exist: the channels are named.

    Examples
    --------
    >>> [map_channels("abc"[:count]).sources for count in (1, 2, 3)]
    [(0, 0, 0), (0, 1, None), (0, 1, 2)]
    >>> map_channels(["BF", "TFP", "YFP", "DIC"], ["YFP", 0]).sources
    (2, 0, None)
    """
    listing = ", ".join(f"{number} ({name})" if str(number) != name else name for number, name in enumerate(names))
    if chosen is None:
        taken = list(range(len(names)))
    else:
        taken = [channel_number(names, channel, listing) for channel in chosen]
    if not taken or len(taken) > model_channels:
        given = "the images have" if chosen is None else "it names"
        example = ",".join(str(number) for number in range(model_channels))
        raise UserError(
            f"data.channels: {given} {len(taken)} channels, the model takes {model_channels}. "
            f"Choose up to {model_channels} of {listing}: data.channels=[{example}]."
        )
    if len(taken) == 1:
        return ChannelMapping(tuple(taken * model_channels), tuple(names))
    return ChannelMapping((*taken, *[None] * (model_channels - len(taken))), tuple(names))


def channel_number(names: Sequence[str], channel: int | str, listing: str) -> int:
    """Number of a channel given by its name or its number; a name wins over a number written as text."""
    if isinstance(channel, str) and channel in names:
        return list(names).index(channel)
    number = int(channel) if isinstance(channel, int) or channel.isdecimal() else -1
    if not 0 <= number < len(names):
        raise UserError(f"data.channels: no channel {channel}. The images have {listing}.")
    return number

"""The one object of an image, as a mask: what differs from the rim by Otsu's threshold."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label

SMOOTHING = 0.01  # deviation of the blur before thresholding, in sides of the image
LEAST_CONTRAST = 0.02  # of the object against the rim, of the range 0..1, below which there is none


def object_mask(image: NDArray) -> NDArray[np.bool_]:
    """Mask of the largest object, holes filled; all False where nothing stands out.

    An object may be darker or brighter than what surrounds it, or of another colour: each pixel's distance to the
    median of the image's rim, over all channels, is thresholded.

    Parameters
    ----------
    image
        ``(channels, height, width)`` in 0..1.

    References
    ----------
    Otsu, A threshold selection method from gray-level histograms, 1979.

    Examples
    --------
    >>> image = np.zeros((1, 16, 16))
    >>> image[0, 4:10, 5:9] = 1
    >>> int(object_mask(image).sum())
    24
    """
    rim = np.concatenate([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], axis=1)
    distance = np.sqrt(np.square(image - np.median(rim, axis=1)[:, None, None]).mean(axis=0))
    smooth = gaussian(distance, SMOOTHING * max(distance.shape), preserve_range=True)
    if np.ptp(smooth) < LEAST_CONTRAST:
        return np.zeros(smooth.shape, bool)
    parts = label(ndimage.binary_fill_holes(smooth > threshold_otsu(smooth)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax()) & (parts > 0)

"""Whether images were compressed by JPEG: a discriminator sees it, and a generator has to learn it."""

import numpy as np
import scipy.fft

SAMPLE, BLOCK = 1_000, 8  # images that are looked at; side of JPEG's blocks
BUSY, NEAR_ZERO = 50.0, 2.0  # of coefficients, for pixels of 0 to 255
SHARE = 0.85  # of busy blocks' finest coefficients: at quality 75, 92 to 97 % are near zero; uncompressed, 25 to 67 %
LUMA = np.float32([0.299, 0.587, 0.114])


def near_zero(pixels: np.ndarray) -> float | None:
    """Of uint8 [N, H, W, 3] the share of the highest coefficients (u, v from 4) of luma that are within 2 of zero.

    Over the blocks of 8 x 8, from the corner on, whose low coefficients are not small: flat ones say nothing. None: no
    such block, or no colour images. Images that were rescaled since their compression do not show it.
    """
    if pixels.shape[-1] != 3 or min(pixels.shape[1:3]) < BLOCK:
        return None
    pixels = pixels[:: max(len(pixels) // SAMPLE, 1)]
    rows, columns = (side // BLOCK for side in pixels.shape[1:3])
    luma = pixels[:, : rows * BLOCK, : columns * BLOCK] @ LUMA
    blocks = luma.reshape(-1, rows, BLOCK, columns, BLOCK).swapaxes(2, 3).reshape(-1, BLOCK, BLOCK)
    found = np.abs(scipy.fft.dctn(blocks, axes=(1, 2), norm="ortho"))
    low, high = found[:, :4, :4], found[:, 4:, 4:]
    busy = low.sum((1, 2)) - low[:, 0, 0] > BUSY
    return float((high[busy] < NEAR_ZERO).mean()) if busy.any() else None


def warning(name: str, pixels: np.ndarray) -> str | None:
    """What to tell the user of a data set that was compressed hard; None of others."""
    share = near_zero(pixels)
    if share is None or share < SHARE:
        return None
    return (
        f"{name} was compressed: {100 * share:.0f} % of its finest luma coefficients are near zero. "
        "D can tell samples by that: take an uncompressed source if there is one (docs/training.md)."
    )

"""Sliced Wasserstein distance between patches of Laplacian pyramids (Karras et al., 2018), as tensorflow-gan has it."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.ndimage import convolve1d

from tfdfm import arrays

SMALLEST, PATCH, PATCHES, DIRECTIONS = 16, 7, 64, 147  # the last level's side; a patch's side; of an image; 7 x 7 x 3
BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
FLAT = 1e-3  # deviation of a patch, in gray levels, that is rounding


class Level(NamedTuple):
    side: int  # of the images at this level of the pyramid
    distance: float  # between patches of real and of fake images
    floor: float  # between patches of the real images and others of the same images


def sliced_wasserstein(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> list[Level]:
    """Distances at the images' own size and at each half of it, as long as the side is 16 pixels or more.

    As tensorflow-gan's function, which draws patches and directions from hidden states and divides patches of one
    colour by 0; here they are drawn from the seed and such patches are 0. Like there, each patch is normalised by
    itself; the paper normalises each channel over all patches, so its numbers do not compare.

    Args:
        real, fake: uint8 [N, H, H, 1 or 3], as many of each; gray as three equal channels. A thousand images need about
            0.2 GB at each level.
        seed: of patches and directions.

    Raises:
        ValueError: other types or shapes, sides below 7 or that cannot be halved so often.
    """
    real, fake = arrays.check_images(real, "real images"), arrays.check_images(fake, "fake images")
    levels = _levels(real.shape, fake.shape)
    patches = zip(
        *(_patches(images, levels, [seed, place]) for place, images in enumerate((real, real, fake))), strict=True
    )
    return [_compared(real.shape[1] >> level, *of_level, seed) for level, of_level in enumerate(patches)]


def _levels(real: tuple[int, ...], fake: tuple[int, ...]) -> int:
    side = real[1]
    levels = max(int(np.log2(side)) - int(np.log2(SMALLEST)), 0) + 1
    if real != fake or real[2] != side or real[3] not in (1, 3) or side < PATCH:
        expected = f"as many real as fake images of shape [N, H, H, 1 or 3], H >= {PATCH}"
        raise ValueError(f"Expected {expected}. Received {list(real)} and {list(fake)}. Crop or take equally many.")
    if side % 2 ** (levels - 1):
        raise ValueError(f"Expected a side that can be halved {levels - 1} times. Received {side}. Resize the images.")
    return levels


def _patches(images: np.ndarray, levels: int, seed: list[int]) -> list[np.ndarray]:
    """For each level float32 [N * 64, 147]: random patches, each of mean 0 and deviation 1, or 0 everywhere."""
    images = images[arrays.shuffled(images, seed[0])]
    images = np.broadcast_to(images, (*images.shape[:3], 3))
    random = np.random.default_rng(seed)
    corners = [_corners(random, len(images), images.shape[1] >> level) for level in range(levels)]
    patches = [[] for _ in range(levels)]
    for block in arrays.blocks(len(images), 256):
        pyramid = laplacian_pyramid(images[block], levels)
        for level, of_level in enumerate(pyramid):
            patches[level].append(_normalised(_cut(of_level, *corners[level][:, block])))
    return [np.concatenate(of_level) for of_level in patches]


def laplacian_pyramid(images: np.ndarray, levels: int) -> list[np.ndarray]:
    """[B, H, W, C] -> float32 details at each of `levels` sizes, the last one whole (Burt & Adelson, 1983)."""
    pyramid = [images.astype(np.float32)]
    for _ in range(levels - 1):
        smaller, grown = _blurred(pyramid[-1])[:, ::2, ::2], np.zeros_like(pyramid[-1])
        grown[:, ::2, ::2] = 4 * smaller
        pyramid[-1] = pyramid[-1] - _blurred(grown)
        pyramid.append(smaller)
    return pyramid


def _blurred(images: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        images = convolve1d(images, BINOMIAL, axis, mode="mirror")
    return images


def _corners(random: Generator, count: int, side: int) -> np.ndarray:
    """[2, N, 64] rows and columns"""
    return random.integers(0, side - PATCH + 1, (2, count, PATCHES))


def _cut(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """[B, H, W, 3] -> [B * 64, 7 * 7 * 3]"""
    windows = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), (1, 2))  # [B, H', W', 3, 7, 7]
    patches = windows[np.arange(len(images))[:, None], rows, columns]
    return np.moveaxis(patches, 2, 4).reshape(-1, DIRECTIONS)


def _normalised(patches: np.ndarray) -> np.ndarray:
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), FLAT)


def _compared(side: int, real: np.ndarray, again: np.ndarray, fake: np.ndarray, seed: int) -> Level:
    directions = np.random.default_rng([seed, side]).normal(size=(DIRECTIONS, DIRECTIONS)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    real, again, fake = (np.sort(directions.T @ patches.T, axis=1) for patches in (real, again, fake))
    return Level(side, float(np.abs(real - fake).mean()), float(np.abs(real - again).mean()))

"""The way from one latent to another, a row each: straight of a uniform prior, on the sphere of a normal one (slides;
AC-GAN, figure 9).

The ends are latents of samples, or those of images of the data: their codes by the run's encoder (ALI, VAE), or what
gradient descent on the pixels finds for any generator. Then the images themselves stand at both sides. A generator
that has learnt its images by heart jumps on the way. Numbers of each row, by root mean square differences of pixels in
0..255: from one image to the next, the largest of these as a multiple of their mean, how straight the way is (from end
to end as a share of the sum of all steps, 1 at most), and how far the reconstructed ends are from their images.
"""

from typing import NamedTuple

import numpy as np

from tfdfm import latents as priors
from tfdfm.analysis import inversion, panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError
from tfdfm.images import from_uint8, unit_to_uint8

ENDS = ("latents", "encoder", "inversion")


class Rows(NamedTuple):
    latents: np.ndarray  # float32 [R, 2, Z]
    labels: np.ndarray | None  # int64 [R]
    images: np.ndarray | None = None  # uint8 [R, 2, H, W, C], where they are of the data


def draw(
    subject: Subject, *, ends: str = "latents", num: int = 6, steps: int = 8, seed: int = 0, images: str = ""
) -> Finding:
    """
    Args:
        ends: "latents", "encoder" or "inversion".
        num: rows; of a conditional model each of the next class.
        steps: images of a row, the ends among them.
        seed: of the samples, or of the choice of images.
        images: places of images among the test images (the training images where there are none), with commas between,
            two a row, of one class where the model is conditional; chosen by the seed if left out.
    """
    if ends not in ENDS or steps < 2:
        raise UsageError(
            f"Expected --view.ends to be one of {', '.join(ENDS)}, 2 steps or more, given {ends}, {steps}."
        )
    if images and ends == "latents":
        raise UsageError("--view.images are the ends of a row: set --view.ends=encoder or inversion.")
    rows = _of_samples(subject, num, seed) if ends == "latents" else _of_images(subject, ends, num, seed, images)
    ways = np.concatenate([priors.interpolate(pair, steps, subject.config.prior) for pair in rows.latents])
    labels = None if rows.labels is None else rows.labels.repeat(steps)
    cells = unit_to_uint8(subject.source.from_latents(ways.reshape(-1, ways.shape[-1]), labels))
    cells = cells.reshape(len(ways), steps, *cells.shape[1:])  # [R, steps, H, W, C]
    numbers = _measured(cells, rows.images)
    if rows.images is None:
        return Finding(panels.named_grid(cells, subject.title), numbers)
    shown = np.concatenate([rows.images[:, :1], cells, rows.images[:, 1:]], axis=1)
    names = ["data", *[""] * steps, "data"]
    return Finding(panels.named_grid(shown, f"{subject.title}, by {ends}", columns=names), numbers)


def _of_samples(subject: Subject, num: int, seed: int) -> Rows:
    drawn = subject.latents(2 * num, seed)
    return Rows(drawn.reshape(num, 2, -1), priors.labels_in_turn(None, num, len(subject.classes)))


def _of_images(subject: Subject, ends: str, num: int, seed: int, asked: str) -> Rows:
    found = subject.held_out_or_training
    places = _asked(asked, len(found.pixels)) if asked else _chosen(found.labels if subject.classes else None,
        len(found.pixels), num, seed)  # fmt: skip
    labels = None
    if subject.classes:
        of_ends = np.asarray(found.labels)[places]
        labels = of_ends[:, 0].astype(np.int64)
        if (of_ends[:, 0] != of_ends[:, 1]).any():
            raise UsageError("Expected in --view.images two images of one class for each row of a conditional model.")
    pixels = np.asarray(found.pixels[places.ravel()])  # [2 R, H, W, C]
    if ends == "encoder":
        codes, _ = subject.encoder(from_uint8(pixels))
        codes = codes.numpy()
    else:
        starts = subject.latents(len(pixels) * inversion.STARTS, seed).reshape(len(pixels), inversion.STARTS, -1)
        repeated = None if labels is None else labels.repeat(2)
        codes = inversion.invert(subject.trained.generator, pixels, starts, subject.config.prior, repeated)
    return Rows(codes.reshape(len(places), 2, -1), labels, pixels.reshape(len(places), 2, *pixels.shape[1:]))


def _asked(text: str, count: int) -> np.ndarray:
    """int64 [R, 2]"""
    numbers = text.split(",")
    if len(numbers) % 2 or not all(number.isdecimal() and int(number) < count for number in numbers):
        raise UsageError(f"Expected --view.images like 3,8,5,0, two a row, each below {count:,}, given {text}.")
    return np.array(numbers, np.int64).reshape(-1, 2)


def _chosen(labels: np.ndarray | None, count: int, rows: int, seed: int) -> np.ndarray:
    """int64 [R, 2]: two different images a row, where there are labels of classes in turn."""
    random = np.random.default_rng(seed)
    if labels is None:
        return random.choice(count, [rows, 2], replace=False)
    classes = np.resize(np.unique(labels), rows)
    return np.stack([random.choice(np.flatnonzero(labels == label), 2, replace=False) for label in classes])


def _measured(cells: np.ndarray, images: np.ndarray | None) -> list[dict]:
    found = []
    for place, row in enumerate(cells.astype(float)):
        moves = _distance(row[:-1], row[1:])
        whole = float(moves.sum())
        about = {
            "steps": moves.tolist(),
            "largest_to_mean": float(moves.max() / moves.mean()) if whole else None,
            "straightness": float(_distance(row[:1], row[-1:])[0] / whole) if whole else None,
        }
        if images is not None:
            about["reconstruction_error"] = _distance(row[[0, -1]], images[place].astype(float)).tolist()
        found.append(about)
    return found


def _distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[N, H, W, C], [N, H, W, C] -> [N] root mean square"""
    return np.sqrt(np.square(x - y).mean(axis=(1, 2, 3)))

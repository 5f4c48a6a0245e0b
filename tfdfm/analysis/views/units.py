"""What units of D answer to: the images that move each most, the patches of these that it sees, and by guided
backpropagation which pixels it answers to; beside it the same of D with the weights that the run began with (slides;
Springenberg et al., 2015; Radford et al., 2016, figure 5).

A unit is a map of a layer, where it says most. Its patch is all that its gradient reaches. Numbers: of each unit its
responses, the places of its images in the data, and where there are classes the commonest among its 20 images and its
share of them. A conditional D is given the class, so that units of random weights answer to it alone.
"""

import numpy as np
import tensorflow as tf

from tfdfm.analysis import layers, panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError
from tfdfm.images import from_uint8
from tfdfm.networks import Network

PURITY = 20  # images


def draw(
    subject: Subject, *, layer: int = 0, units: str = "", num: int = 8, shown: int = 4, images: int = 2000
) -> Finding:
    """
    Args:
        layer: of D, from 1; 0: its last.
        units: numbers with commas between; by default the `num` whose answers differ most from image to image.
        shown: images of each unit.
        images: of the data (test images where there are any), evenly spaced.
    """
    data = subject.held_out_or_training
    every = slice(None, None, -(-len(data.pixels) // images))
    pixels, labels = data.pixels[every], None if data.labels is None else data.labels[every]
    found = {}
    for name, network in (("trained", subject.discriminator), ("random weights", subject.untrained_discriminator)):
        given = labels if subject.classes else None
        maps = layers.discriminated(network, pixels, given, layer)  # [N, h, w, maps]
        chosen = _chosen(units, found["trained"][0] if found else maps, num)
        cells, numbers = _looked_at(network, pixels, labels, given, maps, chosen, layer, shown)
        title = f"{subject.title}: {name}"
        columns = [name for name in ("image", "patch", "guided") for _ in range(shown)]
        rows = [f"unit {unit}" for unit in chosen]
        found[name] = maps, panels.named_grid(cells, title, rows, columns), numbers
    numbers = {name.replace(" ", "_"): each[2] for name, each in found.items()}
    return Finding(panels.beside([each[1] for each in found.values()]), numbers)


def _chosen(units: str, maps: np.ndarray, num: int) -> list[int]:
    """The units asked for, or those of the trained network whose largest answers deviate most over the images."""
    count = maps.shape[-1]
    if units:
        numbers = units.split(",")
        if not all(number.isdecimal() and int(number) < count for number in numbers):
            raise UsageError(f"Expected --view.units to be numbers below {count}, like 3,8, given {units}.")
        return [int(number) for number in numbers]
    return np.argsort(-maps.max(axis=(1, 2)).std(axis=0), kind="stable")[:num].tolist()


def _looked_at(network, pixels, labels, given, maps, units, layer, shown) -> tuple[np.ndarray, list[dict]]:
    """Cells uint8 [units, 3 shown, H, W, C], and numbers of each unit."""
    rows, numbers = [], []
    height, width = maps.shape[1:3]
    for unit in units:
        answers = maps[..., unit].reshape(len(maps), -1)  # [N, h w]
        order = np.argsort(-answers.max(axis=1), kind="stable")
        top = order[:shown]
        places = np.stack(np.unravel_index(answers[top].argmax(axis=1), (height, width)), 1)
        of_top = None if given is None else given[top]
        plain, guided = backpropagated(network, pixels[top], of_top, layer, unit, places)
        fields = [_field(gradient) for gradient in plain]
        patches = [_enlarged(image, field) for image, field in zip(pixels[top], fields, strict=True)]
        rows.append(np.concatenate([pixels[top], patches, [_visible(each) for each in guided]]))
        about = {"unit": unit, "responses": answers[top].max(axis=1).tolist(), "images": top.tolist()}
        about["patches"] = [list(map(int, field)) for field in fields]  # top, bottom, left, right
        if labels is not None:
            counts = np.bincount(labels[order[:PURITY]])
            about |= {"class": int(counts.argmax()), "purity": float(counts.max() / counts.sum())}
        numbers.append(about)
    return np.stack(rows), numbers


def backpropagated(
    network: Network, images: np.ndarray, labels: np.ndarray | None, layer: int, unit: int, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients [N, H, W, C] of a unit at a place [N, 2] of each image: as they are, and guided.

    Guided, what flows back through a nonlinearity is kept where it is positive and the unit was active (Springenberg
    et al., 2015). Leaky ReLUs have a slope of 1 there, so that masking what each layer is given is enough.

    Raises:
        UsageError: the network does not show what its nonlinearities are given.
    """
    if not hasattr(network, "normalised"):
        raise UsageError(f"The discriminator {type(network).__name__} shows no units. Take a run of DCGAN's networks.")
    pixels = from_uint8(images)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(pixels)
        given = None if labels is None else tf.constant(labels, tf.int32)
        outputs = network.normalised(pixels, given)
        outputs = outputs[: layer or len(outputs)]
    at = tf.concat([tf.range(len(images))[:, None], places, tf.fill([len(images), 1], unit)], axis=1)
    start = tf.scatter_nd(tf.cast(at, tf.int32), tf.ones([len(images)]), tf.shape(outputs[-1]))
    plain = tape.gradient(outputs[-1], pixels, start)
    flowing = start
    for above, below in zip(outputs[::-1], [*outputs[-2::-1], pixels], strict=True):
        flowing = tape.gradient(above, below, tf.nn.relu(flowing) * tf.cast(above > 0, tf.float32))
    return plain.numpy(), flowing.numpy()


def _field(gradient: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column that a gradient [H, W, C] reaches, the last ones excluded; all if none."""
    reached = np.abs(gradient).sum(axis=2) > 0
    if not reached.any():
        return 0, gradient.shape[0], 0, gradient.shape[1]
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _enlarged(image: np.ndarray, field: tuple[int, int, int, int]) -> np.ndarray:
    """A field of an image [H, W, C] at the size of the image, by nearest neighbours."""
    top, bottom, left, right = field
    rows = np.linspace(top, bottom - 1, image.shape[0]).round().astype(int)
    columns = np.linspace(left, right - 1, image.shape[1]).round().astype(int)
    return image[rows][:, columns]


def _visible(gradient: np.ndarray) -> np.ndarray:
    """uint8: 0 in the middle, the largest at an end."""
    return np.rint(127.5 + 127.5 * gradient / max(np.abs(gradient).max(), 1e-30)).astype(np.uint8)

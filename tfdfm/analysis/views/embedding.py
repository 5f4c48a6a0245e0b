"""A map of latents, of activations of G or D, or of images: data and samples, coloured by class (thesis, section 4,
figures 18 to 20).

50 principal components, then t-SNE. Numbers: the share of the variance that the components explain; the share of the
ten nearest neighbours, among these components, that are of a point's own class; and how often a point's nearest
neighbour tells whether it is data or a sample: 0.5 where they cannot be told (Lopez-Paz & Oquab, 2017).
"""

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from tfdfm.analysis import layers, panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError
from tfdfm.images import from_uint8, of_figure, unit_to_uint8

OF = ("images", "discriminator", "generator", "latents")
COMPONENTS, NEIGHBOURS = 50, 10
_MARKERS = {"data": "o", "samples": "x"}


class Points(NamedTuple):
    values: np.ndarray  # [N, D]
    labels: np.ndarray  # int64 [N], -1 where there is no class
    kinds: np.ndarray  # str [N], "data" or "samples"


def draw(
    subject: Subject, *, of: str = "images", layer: int = 0, num: int = 500, perplexity: float = 30.0, seed: int = 0
) -> Finding:
    """
    Args:
        of: "images", "discriminator", "generator" (samples alone) or "latents" (samples, and the codes of data where
            the run has an encoder).
        layer: of the network, from 1; 0: its last.
        num: data (test images where there are any), and samples.
        perplexity: of t-SNE, about how many neighbours a point has.
        seed: of the samples, of the choice of data and of t-SNE.
    """
    if of not in OF:
        raise UsageError(f"Expected --view.of to be one of {', '.join(OF)}, given {of}.")
    points = _points(subject, of, layer, num, seed)
    if not 1 <= perplexity < len(points.values):
        most = f"from 1 to below {len(points.values):,}, the number of points"
        raise UsageError(f"Expected --view.perplexity {most}, given {perplexity}. Or set --view.num.")
    flat = points.values.reshape(len(points.values), -1).astype(np.float64)
    analysed = PCA(min(COMPONENTS, *flat.shape), random_state=seed).fit(flat)
    components = analysed.transform(flat)
    with threadpool_limits(1, user_api="openmp"):  # several spin: 30 times slower on busy cores
        shown = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)
    explained = analysed.explained_variance_ratio_
    numbers = {
        "points": len(flat),
        "dimensions": flat.shape[1],
        "variance_explained": float(explained.sum()),
        "variance_of_components": explained.tolist(),
        **_neighbours(components, points),
    }
    where = of if of in ("images", "latents") else f"{f'layer {layer}' if layer else 'last layer'} of the {of}"
    title = f"{subject.title}\n{where}: {len(explained)} components explain {explained.sum():.0%}"
    return Finding(_picture(shown, points, subject.data_classes, title), numbers)


def _points(subject: Subject, of: str, layer: int, num: int, seed: int) -> Points:
    labels = subject.sample_labels(num)
    drawn = subject.latents(num, seed)
    own = np.full(num, -1) if labels is None else labels
    with_data = of in ("images", "discriminator") or (of == "latents" and "encoder" in subject.config)
    if of == "generator":
        values = layers.generated(subject.trained.generator, drawn, labels, layer)
    elif of == "latents":
        values = drawn
    else:
        values = unit_to_uint8(subject.source.from_latents(drawn, labels))
    if with_data:
        data = subject.held_out_or_training
        rows = np.sort(np.random.default_rng(seed).permutation(len(data.pixels))[:num])
        pixels, theirs = data.pixels[rows], None if data.labels is None else data.labels[rows].astype(np.int64)
        kinds = np.repeat(["data", "samples"], [len(rows), num])
        all_labels = np.concatenate([np.full(len(rows), -1) if theirs is None else theirs, own])
        if of == "latents":
            pixels = subject.encoder(from_uint8(pixels))[0].numpy()
        values = np.concatenate([pixels, values])
        if of == "discriminator":
            values = layers.discriminated(subject.discriminator, values, all_labels if subject.classes else None, layer)
        return Points(values, all_labels, kinds)
    return Points(values, own, np.repeat("samples", num))


def _neighbours(components: np.ndarray, points: Points) -> dict[str, float | None]:
    """None where there is one class, or one kind, alone."""
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(components) - 1)).fit(components)
    rows = near.kneighbors(return_distance=False)
    found: dict[str, float | None] = {"same_class": None, "told_apart": None}
    known = points.labels >= 0
    if len(np.unique(points.labels[known])) > 1:
        same = points.labels[rows[known]] == points.labels[known, None]
        found["same_class"] = float(same.mean())
    if len(np.unique(points.kinds)) > 1:
        found["told_apart"] = float(np.mean(points.kinds[rows[:, 0]] == points.kinds))
    return found


def _picture(shown: np.ndarray, points: Points, names: tuple[str, ...], title: str) -> np.ndarray:
    figure = panels.figure(8, 7)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    for kind, marker in _MARKERS.items():
        of = points.kinds == kind
        colors = [f"C{label % 10}" if label >= 0 else "0.3" for label in points.labels[of]]
        axes.scatter(*shown[of].T, s=14, marker=marker, color=colors, linewidths=0.8, alpha=0.8)
        if of.any():
            axes.scatter([], [], marker=marker, color="0.3", label=kind)
    for label in np.unique(points.labels[points.labels >= 0]):
        axes.scatter([], [], marker="s", color=f"C{label % 10}", label=names[label])
    axes.set(xticks=[], yticks=[])
    figure.legend(loc="outside right upper", fontsize=8)
    return of_figure(figure)

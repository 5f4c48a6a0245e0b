"""The samples that look most like copies, each above the training images nearest to it in pixels and in a classifier's
features (AC-GAN, figure 8; thesis, section 4), and the share of all samples that are no copies: authenticity.

Of `num` samples those are shown that are nearest to a training image for its distance to the others there (Alaa et
al., ICML 2022). Numbers: authenticity of the samples, and of held-out images of the data in their place, which is what
a generator scores that copies nothing.
"""

import numpy as np

from tfdfm.analysis import panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.classifiers.binding import Classifier
from tfdfm.classifiers.features import cached
from tfdfm.errors import UsageError
from tfdfm.metrics.authenticity import authenticity
from tfdfm.metrics.nearest_neighbours import nearest


def draw(subject: Subject, *, num: int = 1000, shown: int = 10, seed: int = 0) -> Finding:
    """
    Args:
        num: samples, of all classes in turn.
        shown: of these.
    """
    this = subject.evaluation(num, seed, ["authenticity"])
    real = this.reference_features.features
    found = authenticity(real, this.features.features)
    suspects = np.argsort(found.distances / np.maximum(found.reaches, 1e-12), kind="stable")[:shown]
    images, training = this.scored.images[np.sort(suspects)][np.argsort(np.argsort(suspects))], this.reference.images
    in_pixels = nearest(images, training)
    cells = np.stack([images, training[in_pixels.rows], training[found.rows[suspects]]])
    title = f"{subject.title}: {found.value:.0%} of {num:,} samples authentic"
    per_pixel = in_pixels.distances / images[0].size
    numbers = {
        "authenticity": found.value,
        "held_out_authenticity": _of_held_out(subject, this.classifier, real, num),
        "classifier": this.classifier.record,
        "shown": {
            "seeds": [subject.seeds(num, seed)[place] for place in suspects.tolist()],
            "distance_and_reach": np.stack([found.distances, found.reaches], 1)[suspects].tolist(),
            "rows_by_features": found.rows[suspects].tolist(),
            "rows_by_pixels": in_pixels.rows.tolist(),
            "difference_a_pixel": per_pixel.tolist(),
        },
    }
    return Finding(panels.named_grid(cells, title, rows=("sample", "nearest in pixels", "in features")), numbers)


def _of_held_out(subject: Subject, classifier: Classifier, real: np.ndarray, num: int) -> float | None:
    """Authenticity of as many held-out images of the data, evenly spaced; None where there are none."""
    try:
        pixels = subject.held_out.pixels
    except UsageError:
        return None
    held_out = cached(pixels[:: -(-len(pixels) // num)], classifier)
    return authenticity(real, held_out.features).value

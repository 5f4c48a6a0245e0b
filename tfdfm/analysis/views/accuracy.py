"""Whether samples look like the class that they were asked for, at which resolution, and how varied they are, class by
class with standard errors (AC-GAN, figures 2, 4 and 6).

Above: accuracy against the resolution that images are shrunk to and grown back from, of samples and of held-out images
of the data; and at full against half size, a point a class. Below: accuracy against MS-SSIM of samples, and MS-SSIM of
samples against that of the data, whose largest is red. Numbers: the values and standard errors of all points.
"""

from matplotlib.axes import Axes

from tfdfm.analysis import panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import UsageError
from tfdfm.evaluation import by_class, scatter
from tfdfm.images import of_figure
from tfdfm.metrics.accuracy import Accuracy, joint

METRICS = ("accuracy_by_resolution", "accuracy_and_ms_ssim")
NAMED = 20  # classes at most whose names stand beside their points


def draw(subject: Subject, *, num: int = 2000, pairs: int = 100, seed: int = 0) -> Finding:
    """
    Args:
        num: samples, of all classes in turn, and held-out images at most.
        pairs: for MS-SSIM, of each class.
    """
    this = subject.evaluation(num, seed, METRICS)
    ours = by_class.resolutions(this.scored.images, this.labels, this.classifier)
    theirs = _of_data(subject, this.classifier, num)
    accurate, similar, data = by_class.accuracy_and_similarity(this, pairs)
    figure = panels.figure(8, 8, subject.title)
    (sizes, half), (discriminable, diverse) = figure.subplots(2, 2)
    _resolutions(sizes, {"samples": ours, "held-out images": theirs})
    _half(half, ours)
    scatter.discriminable(discriminable, accurate, similar)
    scatter.diverse(diverse, similar, data)
    names = this.reference.class_names
    if len(accurate.labels) <= NAMED:
        for label, x, y in zip(accurate.labels, similar.values, accurate.values, strict=True):
            discriminable.annotate(names[label], (x, y), xytext=(4, 2), textcoords="offset points", fontsize=7)
    numbers = {
        "accuracy": {str(size): _shares(each) for size, each in ours.items()},
        "held_out_accuracy": {str(size): _shares(each) for size, each in theirs.items()},
        **joint(accurate, similar, data.values.max())._asdict(),
        "per_class": {
            names[label]: {"accuracy": a, "accuracy_error": a_error, "ms_ssim": s, "ms_ssim_error": s_error}
            for label, a, a_error, s, s_error in zip(
                accurate.labels,
                *(x.tolist() for of in (accurate, similar) for x in (of.values, of.errors)),
                strict=True,
            )
        },
    }
    return Finding(of_figure(figure), numbers)


def _of_data(subject: Subject, classifier: Classifier, num: int) -> dict[int, Accuracy]:
    """Of held-out images, evenly spaced; {} where there are none."""
    try:
        images = subject.held_out
    except UsageError:
        return {}
    every = slice(None, None, -(-len(images.pixels) // num))
    return by_class.resolutions(images.pixels[every], images.labels[every], classifier)


def _shares(found: Accuracy) -> dict[str, float]:
    return {"value": found.value, "error": found.error}


def _resolutions(axes: Axes, curves: dict[str, dict[int, Accuracy]]) -> None:
    for name, found in curves.items():
        if found:
            values, errors = [each.value for each in found.values()], [each.error for each in found.values()]
            axes.errorbar(list(found), values, errors, label=name, marker="o", markersize=3, capsize=2)
    axes.set(xlabel="pixels a side", ylabel="accuracy", ylim=(-0.02, 1.02))
    axes.legend(fontsize=8)


def _half(axes: Axes, found: dict[int, Accuracy]) -> None:
    full, half = (*found.values(), *found.values())[:2]
    axes.errorbar(half.values, full.values, full.errors, half.errors, **scatter.POINTS)
    axes.plot([0, 1], [0, 1], linewidth=1)
    axes.set(xlabel="accuracy at half size", ylabel="at full size", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

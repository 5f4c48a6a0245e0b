"""The recipe and its data brought together, before the data is read."""

from ml_collections import ConfigDict

from tfdfm import data, objectives, recipes
from tfdfm.errors import UsageError
from tfdfm.runs import ensembles, monitoring
from tfdfm.training import build


def resolve(config: ConfigDict, data_dir: str | None = None) -> tuple[ConfigDict, data.Description]:
    """The checked recipe with its image size filled in, and what is known of the data before it is read."""
    config = recipes.check(config)
    found = data.describe(config.dataset, config.image_size or None, data_dir)
    if config.score_every and not 2 <= (found.num_classes or 0) <= monitoring.SAMPLES // 2:
        raise UsageError(
            f"score_every={config.score_every} needs the labels of 2 to {monitoring.SAMPLES // 2:,} classes, and "
            f"{config.dataset} has {found.num_classes or 'none'}. Set --config.score_every=0."
        )
    _check_labels(config, found)
    config.image_size = found.image_size
    if 0 < config.patches_of < config.image_size:
        raise UsageError(
            f"Expected patches_of to be at least image_size={config.image_size}, given {config.patches_of}. "
            "Set --config.patches_of."
        )
    return config, ensembles.described(config, found)


def _check_labels(config: ConfigDict, found: data.Description):
    """Raises UsageError where the recipe asks for labels and its data has none, or the other way round."""
    terms = {term: objectives.find(term) for term in config.terms}
    for term, objective in terms.items():
        if objective.conditional and not (found.num_classes and config.conditional):
            raise UsageError(
                f"The term {term!r} needs labels: given {config.dataset}, which has {found.num_classes or 'no'} "
                f"classes, and conditional={config.conditional}. Take labelled data, or another term."
            )
    for key in ("conditional", "num_labelled", "test_every"):
        if config[key] and not found.num_classes:
            raise UsageError(
                f"{key}={config[key]} needs labels, and {config.dataset} has none. "
                f"Set --config.{key}={type(config[key])(0)}."
            )
    if config.test_every and not build.classifies(config):
        raise UsageError(
            f"test_every={config.test_every} needs a discriminator that tells classes. Set --config.test_every=0."
        )
    if build.supervised(config) and config.num_labelled < config.batch_size:
        raise UsageError(
            f"This recipe learns from batches of {config.batch_size} labelled images, given "
            f"num_labelled={config.num_labelled}. Set --config.num_labelled or --config.batch_size."
        )
    needed = config.conditional or "encoder" in config  # separability of its features is that of few labels
    if config.num_labelled and not build.supervised(config) and not needed:
        raise UsageError("No term of this recipe learns from labels. Set --config.num_labelled=0.")
    if config.num_labelled and config.conditional and not build.classifies(config):
        raise UsageError(
            f"num_labelled={config.num_labelled} leaves images without a label, and a discriminator that is given "
            "labels would know them by that from samples, which all have one. Set --config.num_labelled=0."
        )

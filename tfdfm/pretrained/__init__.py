"""Generators that come with the package: exports (`tfdfm.export`) of runs of the recipes of the same names.

    python -m tfdfm.sample --pretrained=cifar10_quick
    python -m tfdfm.serve --model_base_path=PATH, what `find("cifar10_quick")` returns

What each was trained on, for how long, is in its model card, NAME/1/assets/model_card.json.
"""

from pathlib import Path

from tfdfm.errors import UsageError, nearest


def names() -> list[str]:
    """Those that are here."""
    return sorted(path.name for path in Path(__file__).parent.iterdir() if (path / "1" / "saved_model.pb").exists())


def find(name: str) -> Path:
    """The folder of versions of an export.

    Raises:
        UsageError: none of that name; lists those that exist.
    """
    if name not in names():
        raise UsageError(f"{nearest('pretrained generator', name, names())} Set --pretrained.")
    return Path(__file__).parent / name

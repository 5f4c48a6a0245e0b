"""Depths and widths of networks by the image size."""

from tfdfm.errors import UsageError
from tfdfm.images import SIZES


def stages(image_size: int) -> tuple[int, int]:
    """(side of the smallest feature map: 4, or 6 for 48 and 96; times that it doubles).

    Raises:
        UsageError: no network fits the size.
    """
    if image_size not in SIZES:
        raise UsageError(
            f"Expected image_size to be one of {', '.join(map(str, SIZES))}, given {image_size}: no network fits it. "
            "Set --config.image_size to one of them: images are rescaled and centre-cropped."
        )
    base = 6 if image_size % 6 == 0 else 4
    return base, (image_size // base).bit_length() - 1


def widths(image_size: int, width: int) -> list[int]:
    """Maps of each stage from the image inwards: doubling, and no wider than eight times the first."""
    return [width * min(2**i, 8) for i in range(stages(image_size)[1])]


def paired(image_size: int) -> bool:
    """Whether the 32-pixel form is taken (3x3, each stride 2 beside a stride 1), or the 64-pixel one (5x5, strided)."""
    return image_size < 64


def halved(image_size: int, times: int) -> int:
    """The side after it was halved so often.

    Raises:
        UsageError: it is no whole number.
    """
    side, rest = divmod(image_size, 2**times)
    if rest:
        raise UsageError(
            f"Expected image_size to be a multiple of {2**times}, given {image_size}. Set --config.image_size."
        )
    return side


def narrowing(width: int) -> list[int]:
    """Units of the fully connected layers that Rasmus et al. and Salimans et al. share: 1000, 500, 250, 250, 250."""
    return [width, *(max(width // part, 1) for part in (2, 4, 4, 4))]

"""Sources of images -> one flat uint8 array on disk -> batches."""

from tfdfm.data.batches import batches, check_batch_size
from tfdfm.data.folder import sides
from tfdfm.data.labelled import labelled
from tfdfm.data.loading import Description, Images, describe, load
from tfdfm.data.names import NAMED
from tfdfm.data.splits import split

__all__ = [
    "NAMED",
    "Description",
    "Images",
    "batches",
    "check_batch_size",
    "describe",
    "labelled",
    "load",
    "sides",
    "split",
]

"""Sources of images -> one flat uint8 array on disk -> batches."""

from tfdfm.data.batches import batches, check_batch_size
from tfdfm.data.classes import Rows, of_classes
from tfdfm.data.folder import is_one as is_folder
from tfdfm.data.folder import sides
from tfdfm.data.labelled import labelled_rows
from tfdfm.data.loading import Description, Images, describe, load
from tfdfm.data.names import NAMED

__all__ = [
    "NAMED",
    "Description",
    "Images",
    "Rows",
    "batches",
    "check_batch_size",
    "describe",
    "is_folder",
    "labelled_rows",
    "load",
    "of_classes",
    "sides",
]

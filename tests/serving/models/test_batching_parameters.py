"""BatchingParameters mean what they mean to TF Serving."""

import pytest

from tfdfm.errors import UsageError
from tfdfm.serving import config_messages
from tfdfm.serving.models import batching
from tfdfm.serving.models.batching import QueueOptions


def parameters(**fields):
    made = config_messages.BatchingParameters(allowed_batch_sizes=fields.pop("sizes", []))
    for name, value in fields.items():
        getattr(made, name).value = value
    return batching.queue_options(made)


def test_parameters_mean_what_they_mean_to_tf_serving():
    made = parameters(max_batch_size=8, batch_timeout_micros=1500, max_enqueued_batches=3, num_batch_threads=5)
    assert made == QueueOptions(True, 8, 8, 0.0015, 24, 5, ())
    made = parameters(max_batch_size=64, enable_large_batch_splitting=True, max_execution_batch_size=16, sizes=[1, 16])
    assert (made.max_rows, made.max_run, made.sizes) == (64, 16, (1, 16))
    assert made.padded(1) == 1 and made.padded(2) == 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_batch_size": 8, "sizes": [2, 4]},
        {"max_batch_size": 8, "sizes": [8, 4, 8]},
        {"max_batch_size": 8, "sizes": [0, 8]},
        {"max_batch_size": 8, "enable_large_batch_splitting": True, "max_execution_batch_size": 4, "sizes": [8]},
        {"max_batch_size": 0},
        {"num_batch_threads": -1},
        {"batch_timeout_micros": -1},
    ],
    ids=str,
)
def test_parameters_that_cannot_work(wrong):
    with pytest.raises(UsageError, match="Expected"):
        parameters(**wrong)

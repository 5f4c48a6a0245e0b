import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from searching import examples

from tfdfm.data import batches
from tfdfm.data.batches import indices
from tfdfm.errors import UsageError


def _labels(images, **how):
    how = {"batch_size": 6, "first_step": 0, "last_step": 9, "seed": 1, **how}
    return [batch["labels"].numpy() for batch in batches(images, **how)]


def test_any_step_equals_the_same_step_of_a_full_pass(numbered):
    images = numbered(20)
    everything = _labels(images, last_step=12)
    for step in range(12):
        (alone,) = _labels(images, first_step=step, last_step=step + 1)
        np.testing.assert_array_equal(alone, everything[step])


def test_pixels_and_labels_belong_together(numbered):
    for batch in batches(numbered(300), batch_size=16, first_step=3, last_step=6, seed=2):
        expected = batch["labels"].numpy() % 251
        np.testing.assert_array_equal(batch["images"].numpy()[:, 0, 0, 0], expected)


@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_share_the_batch_of_one(numbered, replicas):
    images = numbered(20)
    shares = _labels(images, replicas=replicas, local_replicas=range(replicas))
    joined = [np.concatenate(shares[i : i + replicas]) for i in range(0, len(shares), replicas)]
    np.testing.assert_array_equal(joined, _labels(images))


def test_a_worker_gets_its_own_replicas_in_order(numbered):
    images = numbered(48)
    everything = np.reshape(_labels(images, batch_size=8), [9, 4, 2])
    second = np.reshape(_labels(images, batch_size=8, replicas=4, local_replicas=range(2, 4)), [9, 2, 2])
    np.testing.assert_array_equal(second, everything[:, 2:])


def test_each_epoch_is_another_permutation_and_no_batch_crosses_it(numbered):
    steps = _labels(numbered(24), batch_size=6, last_step=12)
    epochs = [np.concatenate(steps[i : i + 4]) for i in (0, 4, 8)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(24))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_images_beyond_the_last_whole_batch_change_with_the_epoch(numbered):
    steps = _labels(numbered(10), batch_size=4, last_step=40)
    for i in range(0, 40, 2):
        assert len(np.unique(np.concatenate(steps[i : i + 2]))) == 8
    assert len(np.unique(np.concatenate(steps))) == 10


def test_seeds_differ_in_all_their_bits(numbered):
    images = numbered(50)
    orders = {tuple(np.concatenate(_labels(images, seed=seed, last_step=8))) for seed in (0, 1, 2, 1 + 2**32, 2**62)}
    assert len(orders) == 5


def test_every_image_is_equally_likely_at_a_place(numbered):
    first = [label for labels in _labels(numbered(20), batch_size=20, last_step=2000) for label in labels[:1]]
    counts = np.bincount(first, minlength=20)
    assert np.sum((counts - 100.0) ** 2 / 100) < 50  # chi-squared, 19 degrees of freedom: p = 1e-4


def test_shapes_are_static_and_unlabelled_sets_have_no_labels(numbered):
    spec = batches(numbered(20), batch_size=6, first_step=0, last_step=1, seed=0, replicas=2).element_spec
    assert spec["images"].shape == (3, 4, 4, 3)
    assert spec["labels"].shape == (3,)
    assert spec["labels"].dtype.name == "int32"
    spec = batches(numbered(20, labelled=False), batch_size=6, first_step=0, last_step=1, seed=0).element_spec
    assert set(spec) == {"images"}


def test_wrong_batches_are_refused(numbered):
    with pytest.raises(UsageError, match="at least 1 and at most the 20 images, given 21"):
        _labels(numbered(20), batch_size=21)
    with pytest.raises(UsageError, match="multiple of the 4 replicas, given 6: take 4"):
        _labels(numbered(20), batch_size=6, replicas=4)
    with pytest.raises(UsageError, match="given 0"):
        _labels(numbered(20), batch_size=0)


SIZES = st.integers(1, 70).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))  # set and batch


@examples(60)
@given(sizes=SIZES, seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 2**40))
def test_every_epoch_is_a_permutation_cut_into_batches(sizes, seed, epoch):
    count, batch_size = sizes
    steps = count // batch_size
    places = tf.range(batch_size, dtype=tf.int64)
    found = [indices(count, batch_size, seed, tf.constant(epoch * steps + s, tf.int64), places) for s in range(steps)]
    seen = np.concatenate(found)
    assert len(set(seen)) == steps * batch_size and set(seen) <= set(range(count))


@examples(8)
@given(data=st.data(), share=st.integers(1, 4), replicas=st.integers(1, 4), n_critic=st.integers(1, 3))
def test_any_share_of_any_step_is_that_of_the_whole_pass(numbered, data, share, replicas, n_critic):
    """Whatever the worker, the step at which it starts and the replicas that are its own."""
    images = numbered(data.draw(st.integers(share * replicas, 30)))
    how = {"batch_size": share * replicas, "n_critic": n_critic, "seed": data.draw(st.integers(0, 2**63 - 1))}
    first, last = sorted(data.draw(st.tuples(st.integers(0, 9), st.integers(0, 9))))
    start, stop = sorted(data.draw(st.tuples(st.integers(0, replicas - 1), st.integers(1, replicas))))
    local = range(start, max(stop, start + 1))
    whole = np.reshape(_labels(images, **how), [9, n_critic, replicas, share])
    part = _labels(images, **how, first_step=first, last_step=last, replicas=replicas, local_replicas=local)
    expected = whole[first:last][:, :, local].swapaxes(1, 2)  # each replica has its share of each critic step's batch
    np.testing.assert_array_equal(np.reshape(part, [-1, len(local), n_critic, share]), expected)


_MIRRORED = """
import json, numpy as np, tensorflow as tf
from tfdfm.data import Images, batches
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
images = Images("n", "", np.zeros([20, 2, 2, 1], np.uint8), np.arange(20, dtype=np.int32), tuple(map(str, range(20))))
how = dict(batch_size=6, first_step=5, last_step=9, seed=3)
feed = lambda context: batches(images, **how, replicas=2, local_replicas=range(2))
rows = strategy.distribute_datasets_from_function(feed)
got = [np.concatenate([x.numpy() for x in strategy.experimental_local_results(row["labels"])]).tolist() for row in rows]
print(json.dumps([got, [row["labels"].numpy().tolist() for row in batches(images, **how)]]))
"""


def test_two_mirrored_replicas_see_the_batches_of_one(python):
    mirrored, alone = python(_MIRRORED)
    assert mirrored == alone
    assert len(alone) == 4

import made_up
import numpy as np
import pytest

from tfdfm.arrays import shuffled


@pytest.mark.parametrize("samples", [made_up.images(300), made_up.features(300, 7), made_up.features(300, 7)[:, ::2]])
def test_the_same_samples_come_in_the_same_order(samples):
    first, again = samples[shuffled(samples, 3)], samples[::-1]
    np.testing.assert_array_equal(again[shuffled(again, 3)], first)
    assert sorted(shuffled(samples, 3)) == list(range(300))


def test_it_is_an_order_of_the_seed_and_not_sorted():
    samples = np.arange(1000)
    orders = [shuffled(samples, seed) for seed in (0, 1)]
    assert (orders[0] != orders[1]).mean() > 0.99
    assert abs(np.corrcoef(orders[0], samples)[0, 1]) < 0.1 and abs(np.corrcoef(*orders)[0, 1]) < 0.1


def test_equal_samples_stay_together_and_memory_maps_are_read(tmp_path):
    np.save(tmp_path / "a.npy", made_up.images(20))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    np.testing.assert_array_equal(shuffled(mapped, 0), shuffled(made_up.images(20), 0))
    assert sorted(shuffled(np.zeros((9, 4)), 0)) == list(range(9))

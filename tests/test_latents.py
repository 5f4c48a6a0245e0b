"""Latents are exactly the published generator's, whatever stands beside them."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tfdfm import latents, random
from tfdfm.errors import UsageError

SEEDS = np.array([0, 1, -1, 2**31, 2**53 + 1, -(2**63), 2**63 - 1, 12345678901234567], np.int64)
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def twin(key, counter):
    """Threefry-2x32-20 in NumPy, on uint32 pairs, as in the paper's listing: key injected before round 0, 4, 8, ..."""
    keys = [np.uint32(key[0]), np.uint32(key[1]), np.uint32(key[0] ^ key[1] ^ 0x1BD11BDA)]
    x = [np.uint32((int(counter[i]) + int(keys[i])) % 2**32) for i in range(2)]
    for number in range(20):
        x[0] = np.uint32((int(x[0]) + int(x[1])) % 2**32)
        turn = ROTATIONS[number % 8]
        x[1] = np.uint32((int(x[1]) << turn | int(x[1]) >> (32 - turn)) % 2**32) ^ x[0]
        if number % 4 == 3:
            place = number // 4 + 1
            x[0] = np.uint32((int(x[0]) + int(keys[place % 3])) % 2**32)
            x[1] = np.uint32((int(x[1]) + int(keys[(place + 1) % 3]) + place) % 2**32)
    return x


def words(*values):
    return tuple(tf.constant([[value]], tf.uint32) for value in values)


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # Random123's kat_vectors, threefry2x32, 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_published_known_answers(key, counter, expected):
    assert tuple(int(word[0, 0]) for word in random.threefry(words(*key), words(*counter))) == expected
    assert tuple(map(int, twin(key, counter))) == expected


@pytest.mark.parametrize("width", [1, 2, 5, 128])
def test_a_row_is_the_generators_words_for_its_seed(width):
    found = random.seed_bits(tf.constant(SEEDS), width, latents.LABELS).numpy()
    blocks = -(-width // 2)
    for row, seed in zip(found, SEEDS.view(np.uint64).tolist(), strict=True):
        pairs = [twin((seed % 2**32, seed >> 32), (block, latents.LABELS)) for block in range(blocks)]
        assert row.tolist() == [pair[half] for half in range(2) for pair in pairs][:width]


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_a_seeds_latents_are_the_same_bits_alone_and_in_any_batch(prior):
    seeds = np.arange(-100, 100, dtype=np.int64) * 2**40

    @tf.function
    def graph(seeds):
        return latents.from_seeds(seeds, 13, prior)

    whole = graph(tf.constant(seeds)).numpy().view(np.uint32)
    order = np.random.default_rng(0).permutation(len(seeds))
    np.testing.assert_array_equal(graph(tf.constant(seeds[order])).numpy().view(np.uint32), whole[order])
    for place in range(0, 200, 17):
        alone = latents.from_seeds(tf.constant(seeds[place : place + 1]), 13, prior)  # eagerly
        np.testing.assert_array_equal(alone.numpy().view(np.uint32)[0], whole[place])


def test_uniform_fills_its_interval():
    drawn = latents.from_seeds(tf.range(5000, dtype=tf.int64), 64, "uniform").numpy()
    assert drawn.min() >= -1 and drawn.max() < 1
    assert stats.kstest(drawn.ravel(), stats.uniform(-1, 2).cdf).pvalue > 0.01


def test_normal_moments_and_independence():
    drawn = latents.from_seeds(tf.range(40_000, dtype=tf.int64), 16, "normal").numpy().astype(np.float64)
    count = drawn.size
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3), (6, 15)):
        spread = np.sqrt(stats.norm.moment(2 * power) - moment**2)
        assert abs((drawn**power).mean() - moment) < 4 * spread / np.sqrt(count), power
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.01
    between = np.corrcoef(drawn, rowvar=False) - np.eye(16)  # columns of a row
    assert np.abs(between).max() < 5 / np.sqrt(len(drawn))
    for step in (1, 2, 64):  # neighbouring seeds
        assert abs((drawn[:-step] * drawn[step:]).mean()) < 4 / np.sqrt(count)
    assert np.abs(np.corrcoef(np.abs(drawn), rowvar=False) - np.eye(16)).max() < 5 / np.sqrt(len(drawn))


def test_the_normal_quantile_is_right_to_the_tails():
    tails = np.unique(np.concatenate([2 ** np.arange(31), np.arange(3000), 2**31 - 1 - np.arange(3000)]))
    tails = np.concatenate([tails, np.random.default_rng(0).integers(0, 2**31, 100_000)]).astype(np.uint32)
    exact = -special.ndtri((tails.astype(np.float32) + np.float32(0.5)).astype(np.float64) / 2**32)
    positive, negative = (latents.normal(tf.constant(tails + np.uint32(sign))).numpy() for sign in (0, 2**31))
    np.testing.assert_allclose(positive, exact, rtol=0, atol=3e-6)
    np.testing.assert_array_equal(negative, -positive)


def test_labels_are_even_and_independent_of_the_latents():
    seeds = tf.range(-20_000, 20_000, dtype=tf.int64)
    found = latents.labels_from_seeds(seeds, 10).numpy()
    assert stats.chisquare(np.bincount(found, minlength=10)).pvalue > 0.01 and found.max() == 9
    first = latents.from_seeds(seeds, 2, "uniform").numpy()
    assert np.abs([np.corrcoef(found, column)[0, 1] for column in first.T]).max() < 4 / np.sqrt(len(found))
    assert set(latents.labels_from_seeds(seeds, 1).numpy()) == {0}


def normals(count: int, width: int = 16) -> np.ndarray:
    return latents.from_seeds(tf.range(count, dtype=tf.int64), width, "normal").numpy()


@pytest.mark.parametrize("most", [0.04, 0.5, 1.0, 2.0])
def test_truncated_latents_are_of_the_normal_distribution_cut_off(most):
    cut = latents.truncated(normals(20_000), "normal", most)
    assert cut.dtype == np.float32 and np.abs(cut).max() <= np.float32(most)
    expected = stats.truncnorm(-most, most)
    assert stats.kstest(cut.ravel(), expected.cdf).pvalue > 0.01
    for power in (1, 2, 4):
        moment, spread = expected.moment(power), np.sqrt(expected.moment(2 * power) - expected.moment(power) ** 2)
        assert abs((cut.astype(np.float64) ** power).mean() - moment) < 4 * spread / np.sqrt(cut.size), power


def test_truncation_keeps_each_numbers_probability():
    """So a seed stays itself: the order, the sign and, with a wide bound, the number."""
    drawn = normals(1000)
    for most in (0.3, 1.7):
        cut = latents.truncated(drawn, "normal", most)
        exact = stats.truncnorm(-most, most).ppf(stats.norm.cdf(drawn.astype(np.float64)))
        np.testing.assert_allclose(cut, exact, rtol=1e-6)
        np.testing.assert_array_equal(np.signbit(cut), np.signbit(drawn))
        order = np.argsort(drawn, axis=None)
        assert (np.diff(cut.ravel()[order]) >= 0).all()
    np.testing.assert_array_equal(latents.truncated(drawn, "normal", np.inf), drawn)
    np.testing.assert_allclose(latents.truncated(drawn, "normal", 8), drawn, rtol=1e-6)


def test_the_far_tail_goes_to_the_bound():
    ends = np.array([[-6.3, 6.3]], np.float32)
    np.testing.assert_allclose(latents.truncated(ends, "normal", 0.5), [[-0.5, 0.5]], atol=1e-6)


@pytest.mark.parametrize("most", [0, -1, np.nan])
def test_truncation_that_cannot_be(most):
    with pytest.raises(UsageError, match=f"Expected --truncation above 0, given {most:g}"):
        latents.truncated(normals(2), "normal", most)
    with pytest.raises(UsageError, match="for a normal prior, and this model's is uniform. Leave it out"):
        latents.truncated(normals(2), "uniform", 0.5)

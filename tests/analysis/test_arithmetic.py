from types import SimpleNamespace

import numpy as np
import pytest

from tfdfm.analysis.views import arithmetic
from tfdfm.errors import UsageError

BELOW = -7 * len("the result, and noise added to it")  # pixels: the picture of the result is as wide as its title


class Linear:
    """A run whose latent i is i along its axis i % 2, and whose image is 100 + 10 (z_0 + 2 z_1)."""

    title, classes = "linear", ()

    def __init__(self, prior="uniform"):
        self.config, self.source = SimpleNamespace(prior=prior), self

    def latents(self, count, seed):
        found = np.zeros([count, 2], np.float32)
        found[np.arange(count), np.arange(count) % 2] = np.arange(count)
        return found

    def from_latents(self, latents, labels):
        assert labels is None
        values = (100 + 10 * latents @ [1, 2]) / 255
        return np.broadcast_to(values[:, None, None, None], (len(values), 48, 48, 1))


def test_means_are_added_and_subtracted():
    """Means (3, 0) of 2 and 4, (0, 2) of 1 and 3, (0, 1) of 1: the result is (3, -1), its image 110."""
    found = arithmetic.draw(Linear(), groups="2,4-1,3+1")
    assert found.numbers["norms_of_means"] == [3, 2, 1]
    assert found.numbers["norm_of_result"] == pytest.approx(np.sqrt(10))
    assert found.numbers["result_from_means"] == [130 - 110, 140 - 110, 120 - 110]
    below = found.picture[32:, BELOW:, 0]  # three by three, 48 pixels and a gap each
    assert below[60, 60] == 110 and below[10, 10] != 110 and abs(int(below[10, 10]) - 110) <= 7.5


def test_of_a_normal_prior_all_are_where_samples_lie():
    found = arithmetic.draw(Linear("normal"), groups="2,4-1")
    middle = 100 + 10 * np.array([3, -1]) @ [1, 2] * np.sqrt(2) / np.sqrt(10)
    assert found.numbers["norm_of_result"] == pytest.approx(np.sqrt(10))
    assert found.picture[32:, BELOW:, 0][60, 60] == np.rint(middle)


def test_without_groups_there_are_numbered_samples():
    found = arithmetic.draw(Linear(), num=3)
    assert found.picture[-48:, -146::49, 0][0].tolist() == [100, 120, 120]


@pytest.mark.parametrize("groups", ["1,2,", "a", "1--2", "+", "1.5"])
def test_other_groups_are_refused(groups):
    with pytest.raises(UsageError, match="Expected --view.groups like 3,8,11-5,6,7"):
        arithmetic.draw(Linear(), groups=groups)


def test_the_command(made, view):
    run = made("conditional", conditional=True)
    _, about = view(f"--run_dir={run}", "--view=arithmetic", "--view.groups=0,1-2", "--view.classes=7")
    assert len(about["found"]["conditional"]["norms_of_means"]) == 2
    with pytest.raises(UsageError, match="plain is unconditional"):
        view(f"--run_dir={made('plain')}", "--view=arithmetic", "--view.classes=7")

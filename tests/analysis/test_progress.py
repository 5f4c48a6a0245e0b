from types import SimpleNamespace

import made_up
import numpy as np
import pytest
from PIL import Image

from tfdfm import images
from tfdfm.analysis.views import progress
from tfdfm.errors import UsageError


@pytest.fixture
def subject(tmp_path):
    """A run whose image i at step s is of brightness 10 i + s / 100."""
    for step in (0, 100, 200, 300, 400):
        pixels = np.full([5, 48, 48, 1], step // 100, np.uint8) + 10 * np.arange(5, dtype=np.uint8)[:, None, None, None]
        images.write_png(tmp_path / "samples" / f"step_{step:07d}.png", images.grid(pixels))
    return SimpleNamespace(run_dir=tmp_path, name="run", config=SimpleNamespace(image_size=48))


def test_columns_are_steps_and_rows_are_samples(subject):
    found = progress.draw(subject, num=3, shown=2)
    assert found.numbers["steps"] == [0, 200, 400] and len(found.frames) == 5
    cells = found.picture[-97:, -146:, 0]
    assert cells[[0, 0, 0, 49], [0, 49, 98, 98]].tolist() == [0, 2, 4, 14]


def test_what_changes_is_counted_in_pixels(subject):
    black = 1 / 6  # of the grid of five: its sixth place never changes
    assert progress.draw(subject, num=3).numbers["change"] == pytest.approx([2 * (1 - black)] * 2)


@pytest.mark.parametrize("count", [1, 5, 64])
def test_the_images_of_a_grid_come_back(count):
    made = made_up.images(count, 16)
    found = images.cells(images.grid(made), 16)
    assert np.array_equal(found[:count], made) and not found[count:].any()


def test_without_pictures_it_says_when_they_come(subject):
    with pytest.raises(UsageError, match="no pictures of reconstructions yet: --config.sample_every"):
        progress.draw(subject, of="reconstructions")
    with pytest.raises(UsageError, match="one of samples, reconstructions, given latents"):
        progress.draw(subject, of="latents")


def test_the_command_writes_an_animation(made, view, tmp_path):
    _, about = view(f"--run_dir={made('sampled', sample_every=1)}", "--view=progress", "--view.num=2")
    assert about["found"]["sampled"]["steps"] == [1, 4] and about["found"]["sampled"]["change"][0] > 0
    with Image.open(tmp_path / "view.gif") as animation:
        assert animation.n_frames == 4

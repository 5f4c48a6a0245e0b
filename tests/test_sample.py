import json

import commands
import numpy as np
import pytest
import tensorflow as tf
from running import config, serving

from tfdfm import cli, export, pretrained, recipes, sample, train
from tfdfm.errors import Failure, UsageError
from tfdfm.latents import interpolate, labels_in_turn, truncated
from tfdfm.sampling import restore
from tfdfm.sampling.sampler import Local


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of two steps, made once for each set of changes."""
    return commands.maker(tmp_path_factory.mktemp("runs"), steps=2, jit="off")


def draw(run_dir, *arguments):
    sample.main(cli.parse(["", f"--run_dir={run_dir}", *map(str, arguments)], sample.define, ""))


def read(path) -> np.ndarray:
    return tf.io.decode_png(path.read_bytes()).numpy()


def drawn(run_dir, folder, *arguments) -> list[np.ndarray]:
    """The images of a folder, in order."""
    draw(run_dir, f"--out={folder}", *arguments)
    return [read(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(("number", "rows", "columns"), [(1, 1, 1), (7, 3, 3), (65, 8, 9)])
def test_any_number_makes_one_near_square_grid(made, tmp_path, number, rows, columns):
    draw(made(), f"--num={number}", f"--out={tmp_path / 'new' / 'grid.png'}")
    assert read(tmp_path / "new" / "grid.png").shape == (17 * rows - 1, 17 * columns - 1, 1)


def test_a_grid_and_a_folder_show_the_same_images(made, tmp_path):
    images = drawn(made(), tmp_path / "images", "--num=4")
    draw(made(), "--num=4", f"--out={tmp_path / 'grid.png'}")
    grid = read(tmp_path / "grid.png")
    assert np.array_equal(grid[:16, :16], images[0]) and np.array_equal(grid[17:, 17:], images[3])


def test_without_out_the_picture_lies_in_the_run(made, capsys):
    draw(made(), "--num=2", "--seed=9")
    assert read(made() / "sample-seed9.png").shape == (16, 33, 1)
    assert str(made() / "sample-seed9.png") in capsys.readouterr().out


def test_an_image_depends_on_its_seed_and_place_alone(made, tmp_path):
    few, many = (drawn(made(), tmp_path / str(n), f"--num={n}") for n in (3, 70))
    assert len(many) == 70 and np.abs(np.subtract(few, many[:3], dtype=int)).max() <= 1  # a rounding at most
    other = drawn(made(), tmp_path / "other", "--num=3", "--seed=1")
    assert not np.array_equal(few, other) and not np.array_equal(many[0], many[64])


def test_an_image_is_the_models_of_its_seed(made, tmp_path):
    images = drawn(made(), tmp_path / "images", "--num=3", "--seed=2")
    floats = Local(restore.load(made())).images([2_000_000, 2_000_001, 2_000_002])
    assert np.abs(images - floats * 255).max() <= 0.5 + 1e-3


def test_labels_come_in_turn(made):
    assert labels_in_turn([3, 5], 5, 10).tolist() == [3, 5, 3, 5, 3]
    assert labels_in_turn([], 12, 10).tolist() == [*range(10), 0, 1]
    three, five = Local(restore.load(made(conditional=True))).images([0, 0], [3, 5])
    assert not np.array_equal(three, five)


def test_the_average_makes_the_images_where_it_is_kept(made):
    run_dir = made()
    trained = restore.load(run_dir)
    assert trained.weights == "ema_generator"
    saved = commands.state(commands.checkpoints(run_dir)[-1])
    weights = [variable.numpy().tobytes() for variable in trained.generator.variables]
    for holder, same in (("ema_generator", True), ("generator", False)):
        stored = [value for name, value in sorted(saved.items()) if name.startswith(f"{holder}/")]
        assert (stored == weights) == same


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_interpolation_goes_from_each_latent_to_the_next(made, prior):
    ends, named = Local(restore.load(made(prior=prior))).latents(range(4))
    assert named == prior
    path = interpolate(ends, 8, prior)
    assert path.shape == (3, 8, 8)
    np.testing.assert_allclose(path[:, 0], ends[:-1], atol=1e-5)
    np.testing.assert_allclose(path[:, -1], ends[1:], atol=1e-5)
    if prior == "uniform":
        np.testing.assert_allclose(np.diff(path, 2, axis=1), 0, atol=1e-6)
    else:  # on the sphere: equal angles, no norm outside those of the ends
        units = path / np.linalg.norm(path, axis=-1, keepdims=True)
        norms = np.linalg.norm(path, axis=-1)
        assert (norms.min(1) > 0.95 * np.minimum(norms[:, 0], norms[:, -1])).all()
        assert np.isfinite(units).all()


def test_interpolation_is_drawn_in_rows_of_eight(made, tmp_path):
    draw(made(), "--interpolate", "--num=20", f"--out={tmp_path / 'grid.png'}")
    assert read(tmp_path / "grid.png").shape == (17 * 3 - 1, 17 * 8 - 1, 1)
    assert len(drawn(made(conditional=True), tmp_path / "images", "--interpolate", "--num=20", "--labels=3")) == 20


NORMAL = {"prior": "normal", "optimizer__learning_rate": 0.1, "ema_decay": 0.0}  # two steps that make latents matter


def test_truncated_samples_are_the_same_from_run_export_and_endpoint(made, tmp_path):
    run_dir = made(conditional=True, **NORMAL)
    export.main(cli.parse(["", f"--run_dir={run_dir}", f"--out={tmp_path / 'export'}"], export.define, ""))
    source, seeds, given = Local(restore.load(run_dir)), range(1_000_000, 1_000_070), labels_in_turn([], 70, 10)
    expected = source.from_latents(truncated(*source.latents(seeds), 0.5), given)
    assert np.abs(expected - source.images(seeds, given)).max() > 0.03
    with serving(config(default=tmp_path / "export")) as server:
        places = [f"--run_dir={run_dir}", f"--export={tmp_path / 'export'}"]
        places.append(f"--endpoint=localhost:{server.server.ports['gRPC']}")
        for number, place in enumerate(places):
            arguments = ["", place, "--truncation=0.5", "--num=70", "--seed=1", f"--out={tmp_path / str(number)}"]
            sample.main(cli.parse(arguments, sample.define, ""))
            images = np.stack([read(path) for path in sorted((tmp_path / str(number)).iterdir())])
            assert np.abs(images - expected * 255).max() <= 0.5 + 1e-3


def test_truncation_cuts_the_latents_and_the_ends_of_an_interpolation(made, tmp_path):
    run_dir = made(**NORMAL)
    images = np.stack(drawn(run_dir, tmp_path / "path", "--interpolate", "--num=16", "--truncation=0.5"))
    source = Local(restore.load(run_dir))
    ends, prior = source.latents(range(3))
    cut = truncated(ends, prior, 0.5)
    path, whole = (interpolate(each, 8, prior).reshape(16, -1) for each in (cut, ends))
    assert np.abs(source.from_latents(path) - source.from_latents(whole)).max() > 0.03
    assert np.abs(images - source.from_latents(path) * 255).max() <= 0.5 + 1e-3
    images = np.stack(drawn(run_dir, tmp_path / "images", "--num=3", "--truncation=0.5"))
    assert np.abs(images - source.from_latents(cut) * 255).max() <= 0.5 + 1e-3


def test_truncation_that_cannot_be_is_one_line(made, tmp_path):
    for more in ([], ["--interpolate"]):
        with pytest.raises(UsageError, match="--truncation is for a normal prior, and this model's is uniform"):
            draw(made(), "--truncation=0.5", f"--out={tmp_path / 'a.png'}", *more)
    with pytest.raises(UsageError, match="Expected --truncation above 0, given -1"):
        draw(made(**NORMAL), "--truncation=-1", f"--out={tmp_path / 'a.png'}")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("conditional", "labels", "expected"),
    [
        (False, "3", "this model is unconditional"),
        (True, "10", "between 0 and 9, given 10"),
        (True, "-1", "between 0 and 9, given -1"),
        (True, "three", "class numbers like 3,5, given three"),
    ],
)
def test_labels_that_cannot_be(made, conditional, labels, expected):
    with pytest.raises(UsageError, match=expected):
        draw(made(**{"conditional": True} if conditional else {}), f"--labels={labels}")


def test_runs_that_cannot_be_drawn_from(made, tmp_path):
    with pytest.raises(UsageError, match="Expected a run directory with a config.json"):
        draw(tmp_path)
    text = (made() / "config.json").read_text()
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Failure, match="has no checkpoint yet: the first comes at step 20"):
        draw(tmp_path)
    contents = json.loads(text)
    for damaged in ({**contents, "data": 3}, {key: value for key, value in contents.items() if key != "data"}):
        (tmp_path / "config.json").write_text(json.dumps(damaged))
        with pytest.raises(UsageError, match=f"^{tmp_path}/config.json is damaged"):
            draw(tmp_path)


def test_a_run_or_an_endpoint_and_not_both(made):
    for arguments in ([], [f"--run_dir={made()}", "--endpoint=localhost:1"]):
        with pytest.raises(UsageError, match="Expected one of --run_dir, --export, --pretrained and --endpoint"):
            sample.main(cli.parse(["", *arguments], sample.define, ""))


@pytest.mark.parametrize("name", pretrained.names())
def test_what_comes_with_the_package_makes_images_and_is_small(name, tmp_path):
    sample.main(cli.parse(["", f"--pretrained={name}", "--num=16", f"--out={tmp_path / 'a'}"], sample.define, ""))
    images = np.stack([read(path) for path in sorted((tmp_path / "a").glob("*.png"))])
    assert images.shape[:3] == (16, 32, 32) and np.std(images, axis=0).mean() > 30  # of 255: no two are alike
    card = json.loads((pretrained.find(name) / "1" / "assets" / "model_card.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(card["recipe"]))
    trained, recipe = (recipes.check(recipes.recipe(each)) for each in (str(tmp_path / "config.json"), name))
    changed = {line.split(":")[0] for line in recipes.differences(trained, recipe)}
    assert changed <= {"steps", "accumulate", "image_size"} and card["step"] == recipe.steps and card["scores"]
    assert sum(path.stat().st_size for path in pretrained.find(name).rglob("*")) < 5e6


def test_no_pretrained_generator_of_that_name():
    with pytest.raises(UsageError, match="Unknown pretrained generator 'cifar'. .*Known: .*cifar10_quick"):
        sample.main(cli.parse(["", "--pretrained=cifar"], sample.define, ""))


def test_a_checkpoint_is_chosen_by_its_step(tmp_path):
    flags = commands.flags(steps=4, checkpoint_every=2, jit="off")
    train.main(cli.parse(["", *flags, f"--run_dir={tmp_path}"], train.define, ""))
    two, last = restore.load(tmp_path, "2"), restore.load(tmp_path)
    assert (two.step, last.step) == (2, 4)
    assert any(not np.array_equal(a, b) for a, b in zip(two.generator.weights, last.generator.weights, strict=True))
    with pytest.raises(UsageError, match=r"one of the steps kept \(2, 4\), given 3"):
        draw(tmp_path, "--checkpoint=3")
    with pytest.raises(UsageError, match="this run kept no scores"):
        draw(tmp_path, "--checkpoint=best")


def test_a_place_that_cannot_be_written_is_one_line(made, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match=r"^Cannot write \S+/file/grid.png"):
        draw(made(), f"--out={tmp_path / 'file' / 'grid.png'}")


@pytest.mark.parametrize("changes", [{}, {"conditional": True, "seed": 3}])
def test_the_grid_of_the_last_step_can_be_asked_for_again(made, tmp_path, changes):
    run_dir = made(**changes)
    draw(run_dir, "--num=64", f"--seed={changes.get('seed', 0)}", f"--out={tmp_path / 'grid.png'}")
    shown, asked = read(run_dir / "samples" / "step_0000002.png"), read(tmp_path / "grid.png")
    assert shown.shape == asked.shape == (135, 135, 1)
    assert np.abs(np.subtract(shown, asked, dtype=int)).max() <= 1  # a rounding at most

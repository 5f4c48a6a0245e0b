"""The command, end to end, on tiny runs on real digits with a random network as the classifier."""

import json
import shutil

import made_up_weights
import numpy as np
import pytest
import tensorflow as tf

from tfdfm import arrays, data
from tfdfm.classifiers import features, lookup
from tfdfm.classifiers.binding import Classifier, class_checksum
from tfdfm.errors import UsageError
from tfdfm.evaluation import image_sets, records, scores
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.metrics import cmmd, fid, inception_score, kid, precision_recall

NUM = 130  # two batches and a bit


def values(path) -> dict:
    return {name: record["value"] for name, record in json.loads(path.read_text()).items()}


def read(folder) -> np.ndarray:
    return np.stack([tf.io.decode_png(path.read_bytes()).numpy() for path in sorted(folder.rglob("*.png"))])


@pytest.fixture(scope="module")
def unconditional(made):
    return made("digits-seed0")


@pytest.fixture(scope="module")
def conditional(made):
    return made("digits_conditional-seed0", conditional=True)


def test_a_run_is_scored_as_its_images_are(score, unconditional, pngs, classifier, tmp_path):
    """Every value is that of the metric on the PNG files of `sample`, computed here."""
    score(f"--run_dir={unconditional}", f"--num={NUM}", f"--json={tmp_path / 'run.json'}")
    images = read(pngs(unconditional, NUM))
    real = data.load("digits").pixels
    network = lookup.find(classifier)
    fake_features, logits = network.run(images)
    real_features, _ = network.run(real)
    keys = arrays.digests(images)
    pair = fid.statistics(real_features), fid.statistics(fake_features)
    near = precision_recall.manifolds(real_features, fake_features)
    expected = {
        "inception_score": inception_score.inception_score(logits, keys=keys).value,
        "modified_inception_score": inception_score.modified_inception_score(logits),
        "frechet_distance": fid.frechet_distance(*pair),
        "kernel_distance": kid.kernel_distance(
            real_features, fake_features, 100, NUM, keys=(arrays.digests(real), keys)
        ).value,
        **near._asdict(),
    }
    found = values(tmp_path / "run.json")
    assert found.keys() == expected.keys() | {"ms_ssim"}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-9), name


def test_a_record_says_all_that_a_number_depends_on(score, unconditional, classifier):
    score(f"--run_dir={unconditional}", f"--num={NUM}", "--seed=3", "--splits=5")
    found = json.loads((unconditional / "evaluation" / "2.json").read_text())
    record = found["inception_score"]
    assert record["samples"] == NUM and record["splits"] == 5 and record["spread"] >= 0
    assert {"name", "checksum", "resize"} <= record["classifier"].keys() and len(record["classifier"]["checksum"]) == 64
    assert len(record["of"].pop("checksum")) == 64
    assert record["of"] == {"run": "digits-seed0", "checkpoint": 2, "weights": "ema_generator", "seed": 3, "first": 0}
    reference = found["frechet_distance"]["reference"]
    assert reference["name"] == "digits" and reference["images"] == 1797 and len(reference["content"]) == 64
    assert "reference" not in record and "classifier" not in found["ms_ssim"]


def test_order_files_and_repetition_change_nothing(score, unconditional, pngs, tmp_path):
    folder = pngs(unconditional, NUM)
    turned = tmp_path / "turned"
    turned.mkdir()
    order = np.random.default_rng(0).permutation(NUM)
    for place, path in zip(order, sorted(folder.iterdir()), strict=True):
        shutil.copy(path, turned / f"{place:04d}.png")
    metrics = "--metrics=inception_score,frechet_distance,kernel_distance,recall,ms_ssim,nearest_neighbours"
    for place, images in enumerate((folder, folder, turned)):
        score(f"--images={images}", "--reference=digits", metrics, f"--json={tmp_path / f'{place}.json'}")
    score(f"--run_dir={unconditional}", f"--num={NUM}", metrics, f"--json={tmp_path / 'run.json'}")
    first, again, other, of_run = (values(tmp_path / f"{name}.json") for name in ("0", "1", "2", "run"))
    assert first == again and first.keys() == other.keys() == of_run.keys()
    for name in first:
        assert other[name] == pytest.approx(first[name], rel=1e-5), name
        assert of_run[name] == pytest.approx(first[name], rel=1e-5), name


def test_a_conditional_run_is_asked_for_its_classes_in_turn(score, conditional, pngs, tmp_path):
    score(
        f"--run_dir={conditional}",
        "--num=200",
        "--metrics=accuracy,ms_ssim,accuracy_and_ms_ssim,accuracy_by_resolution",
    )
    found = json.loads((conditional / "evaluation" / "2.json").read_text())
    assert list(found["accuracy"]["per_class"]) == list("0123456789")
    assert np.mean(list(found["accuracy"]["per_class"].values())) == pytest.approx(found["accuracy"]["value"])
    assert found["accuracy_by_resolution"]["resolutions"].keys() == {"16", "8"}
    assert found["accuracy_by_resolution"]["resolutions"]["16"] == found["accuracy"]["value"]
    by_class = found["accuracy_by_resolution"]["per_class"]  # [at 16, at 8] pixels
    assert {name: both[0] for name, both in by_class.items()} == found["accuracy"]["per_class"]
    higher = np.mean([both[0] > both[1] for both in by_class.values()])
    assert found["accuracy_by_resolution"]["higher_than_at_half"] == pytest.approx(higher)
    joint = found["accuracy_and_ms_ssim"]
    least_diverse, similar = max(joint["data_per_class"].values()), list(found["ms_ssim"]["per_class"].values())
    assert joint["diverse"] == np.mean(np.array(similar) < least_diverse)
    assert tf.io.decode_png((conditional / "evaluation" / "2-accuracy_and_ms_ssim.png").read_bytes()).shape[2] == 3
    pairs = joint["per_class"]
    assert {name: pair[0] for name, pair in pairs.items()} == found["accuracy"]["per_class"]
    assert {name: pair[1] for name, pair in pairs.items()} == found["ms_ssim"]["per_class"]


def test_later_samples_of_a_seed_are_those_that_come_later(conditional, monkeypatch):
    """AC-GAN's protocol reports on others than it chose by."""

    class Numbered:
        """The image of a seed is its number."""

        def images(self, seeds, labels):
            return np.float32(np.asarray(seeds) % 251 / 255)[:, None, None, None]

    monkeypatch.setattr(image_sets, "Local", lambda trained: Numbered())
    whole = image_sets.of_run(conditional, "last", 30, seed=1)
    later = image_sets.of_run(conditional, "last", 7, seed=1, first=23)
    assert len(np.unique(whole.images[:])) == 30
    np.testing.assert_array_equal(later.images[:], whole.images[23:])
    np.testing.assert_array_equal(later.labels, whole.labels[23:])


def test_fewer_stored_images_are_spaced_evenly():
    """The first would be of few classes where a set is sorted."""
    digits, some = data.load("digits"), image_sets.of_images("digits", 100, None)
    np.testing.assert_array_equal(some.images[:], digits.pixels[:1700:17])
    np.testing.assert_array_equal(some.labels, digits.labels[:1700:17])


def test_sub_folders_are_classes_by_name(score, tmp_path, classifier):
    """Digits under the names of classes that the reference has, in another order, are all accounted to their class."""
    digits = data.load("digits")
    for label in (7, 3):
        (tmp_path / "images" / str(label)).mkdir(parents=True)
        for place, image in enumerate(digits.pixels[digits.labels == label][:20]):
            tf.io.write_file(str(tmp_path / "images" / str(label) / f"{place}.png"), tf.io.encode_png(image))
    score(
        f"--images={tmp_path / 'images'}", "--reference=digits", "--metrics=accuracy", f"--json={tmp_path / 'a.json'}"
    )
    found = json.loads((tmp_path / "a.json").read_text())["accuracy"]["per_class"]
    logits = {label: lookup.find(classifier).run(digits.pixels[digits.labels == label][:20])[1] for label in (3, 7)}
    assert found == {str(label): np.mean(logits[label].argmax(1) == label) for label in (3, 7)}


def test_samples_are_made_in_batches_and_never_kept(score, unconditional, monkeypatch):
    asked = []
    draw = image_sets.Drawn.__getitem__

    def spy(self, rows):
        images = draw(self, rows)
        asked.append(len(images))
        return images

    monkeypatch.setattr(image_sets.Drawn, "__getitem__", spy)
    score(f"--run_dir={unconditional}", "--num=1000", "--metrics=inception_score,frechet_distance,ms_ssim")
    assert sum(asked[:-1]) == 1000 and max(asked[:-1]) <= 64 and asked[-1] <= 200  # the last: pairs for MS-SSIM


def test_features_of_the_reference_are_made_once(score, unconditional, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []
    write = features._write
    monkeypatch.setattr(features, "_write", lambda *args: made.append(args[0]) or write(*args))
    for _ in range(2):
        score(f"--run_dir={unconditional}", "--num=64", "--metrics=frechet_distance")
    assert len(made) == 1
    score(
        f"--images={'digits'}", "--reference=digits", "--metrics=frechet_distance", f"--json={tmp_path / 'same.json'}"
    )
    assert len(made) == 1 and values(tmp_path / "same.json")["frechet_distance"] == pytest.approx(0, abs=1e-6)


def test_scores_beside_the_network(score, unconditional):
    score(
        f"--run_dir={unconditional}",
        "--num=64",
        "--metrics=nearest_neighbours,sliced_wasserstein_distance,separability",
    )
    found = json.loads((unconditional / "evaluation" / "2.json").read_text())
    picture = tf.io.decode_png((unconditional / "evaluation" / "2-nearest_neighbours.png").read_bytes())
    assert picture.shape[1] == 20 * 17 - 1
    assert len(found["nearest_neighbours"]["rows"]) == 64 and found["nearest_neighbours"]["value"] > 0
    assert found["sliced_wasserstein_distance"]["levels"].keys() == {"16"}
    assert 0.5 < found["separability"]["value"] <= 1  # digits are separable even in random features
    assert found["separability"]["samples"] == 179 and found["separability"]["network"] == "discriminator"


@pytest.mark.parametrize(("name", "word"), [("efficientnet_lite0", "classifier"), ("inception2015", "inception")])
def test_only_inceptions_scores_and_a_data_sets_bear_its_name(name, word):
    rng = np.random.default_rng(0)
    images = rng.integers(2, 256, (40, 8, 8, 1), dtype=np.uint8)
    network = Classifier(name, {"name": name}, 3, None)
    fake = features.Features(rng.normal(size=(40, 5)), rng.normal(size=(40, 3)), arrays.digests(images))
    this = Evaluation(image_sets.ScoredImages(images, None, (), {}, stored=True), classifier=network)
    this.features = fake
    both = ("inception_score", "modified_inception_score")
    found = [key for metric in both for key in scores.score(this, metric).records]
    assert found == [f"{word}_score", f"modified_{word}_score"]
    assert scores.select(["classifier_score"], this) == ["inception_score"]


@pytest.mark.parametrize(("told", "wanted"), [(None, True), ("abc", True), ("acb", False), ("ab", False)])
def test_accuracy_needs_a_classifier_of_the_references_classes_in_their_order(told, wanted):
    images = np.zeros([6, 8, 8, 1], np.uint8)
    network = Classifier("mine", {}, 3, None, "" if told is None else class_checksum(told))
    real = image_sets.ReferenceImages("real", images, np.arange(6) % 3, tuple("abc"), {})
    this = Evaluation(image_sets.ScoredImages(images, np.arange(6) % 3, tuple("abc"), {}, stored=True), real, network)
    assert ("accuracy" in scores.select(None, this)) == wanted
    if not wanted:
        with pytest.raises(UsageError, match="accuracy needs a classifier of the reference's own classes"):
            scores.select(["accuracy"], this)


def test_a_network_without_classes_is_scored_by_its_features(score, unconditional, pngs, tmp_path, capsys):
    path = made_up_weights.save(tmp_path / "model.safetensors", made_up_weights.clip())
    metrics = "--metrics=frechet_distance,cmmd,density,kernel_distance"
    images, named = pngs(unconditional, 64), f"--classifier=clip:{path}"
    network = lookup.find(f"clip:{path}")
    real, fake = (network.run(which)[0] for which in (data.load("digits").pixels, read(images)))
    score(f"--images={images}", "--reference=digits", metrics, named, f"--json={tmp_path / 'asked.json'}")
    found = values(tmp_path / "asked.json")
    assert found["cmmd"] == pytest.approx(cmmd.cmmd(real, fake), rel=1e-4)
    expected = fid.frechet_distance(fid.statistics(real), fid.statistics(fake))
    assert found["frechet_distance"] == pytest.approx(expected, rel=1e-4)
    score(f"--images={images}", "--reference=digits", named, f"--json={tmp_path / 'default.json'}")
    names = {"frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage", "cmmd", "ms_ssim"}
    default = values(tmp_path / "default.json")
    assert default.keys() == names and {name: default[name] for name in found} == found
    for metric in ("inception_score", "modified_inception_score"):
        with pytest.raises(UsageError, match=f"{metric} needs a classifier of classes, and this one gives features"):
            score(f"--images={images}", "--reference=digits", f"--metrics={metric}", named)
    with pytest.raises(UsageError, match="accuracy needs a classifier of the reference's own classes"):
        score("--images=digits", "--reference=digits", "--metrics=accuracy", named)
    with pytest.raises(UsageError, match="cmmd needs CLIP's embeddings: set --classifier=clip:PATH, the model"):
        score(f"--images={images}", "--reference=digits", "--metrics=cmmd")


def test_no_classifier_is_trained_for_what_needs_none(score, unconditional, monkeypatch, capsys):
    monkeypatch.setattr(lookup, "of_data", None)
    score(f"--run_dir={unconditional}", "--num=20", "--metrics=ms_ssim", "--classifier=")
    assert "ms_ssim" in capsys.readouterr().out


def test_too_few_samples_leave_a_default_score_out_and_end_one_that_was_asked_for(score, unconditional, capsys):
    score(f"--run_dir={unconditional}", "--num=20")
    shown = capsys.readouterr().out
    assert "Left out: inception_score. Expected splits >= 1 and at least 10 samples" in shown
    assert "frechet_distance" in shown
    with pytest.raises(UsageError, match="inception_score: Expected splits >= 1 and at least 10 samples"):
        score(f"--run_dir={unconditional}", "--num=20", "--metrics=inception_score")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected one of --run_dir, --images, --compare, --self_check, given none"),
        (["--images=digits", "--self_check"], "given --images and --self_check"),
        (["--run_dir=a,b"], "Several runs or checkpoints are for --protocol=acgan"),
        (["--run_dir=nothing"], "Expected a run directory with a config.json in --run_dir, found none in nothing"),
        (["--images=digits", "--metrics=fid"], "Unknown metric 'fid'.* Known: accuracy, .*frechet_distance"),
        (["--images=digits", "--metrics=frechet_distance"], "frechet_distance needs real images: set --reference"),
        (
            ["--images=digits", "--metrics=separability"],
            "needs an encoder, or the discriminator of an unconditional run",
        ),
        (["--images=digits", "--num=5000"], "Expected --num of at most 1,797, the images of digits. Given 5,000"),
        (["--images=digits", "--classifier=dataset"], "learns from the labels of real images: set --reference"),
        (["--images=digits", "--protocol=dfm", "--num=10"], "The protocol fixes --num: leave it out"),
        (["--images=digits", "--protocol=acgan"], "--protocol=acgan chooses among runs"),
        (["--images=digit"], "Unknown data set 'digit'. Did you mean 'digits'"),
        (["--images=digits:test"], "digits has no test images"),
    ],
)
def test_mistakes_end_in_one_line(score, arguments, message):
    with pytest.raises(UsageError, match=message):
        score(*arguments)


def test_black_images_are_an_error(score, tmp_path):
    (tmp_path / "black").mkdir()
    tf.io.write_file(str(tmp_path / "black" / "a.png"), tf.io.encode_png(np.ones([16, 16, 1], np.uint8)))
    with pytest.raises(UsageError, match="found none above 1 in .*black: scale them by 255"):
        score(f"--images={tmp_path / 'black'}")


def test_a_run_without_labels_for_accuracy(score, unconditional):
    with pytest.raises(UsageError, match="accuracy needs samples with classes that the reference has"):
        score(f"--run_dir={unconditional}", "--num=64", "--metrics=accuracy")


def test_scores_of_other_conditions_are_kept_beside_the_new_ones(score, made):
    run_dir = made("another-seed0", seed=5)
    place = run_dir / "evaluation"
    score(f"--run_dir={run_dir}", "--num=64", "--metrics=frechet_distance")
    score(f"--run_dir={run_dir}", "--num=64", "--metrics=ms_ssim")
    both = values(place / "2.json")
    assert both.keys() == {"frechet_distance", "ms_ssim"}
    score(f"--run_dir={run_dir}", "--num=65", "--metrics=frechet_distance")
    assert values(place / "2-1.json") == both and values(place / "2.json").keys() == {"frechet_distance"}
    assert {each.name for each in records.of_run(run_dir)} == {"frechet_distance", "ms_ssim"}

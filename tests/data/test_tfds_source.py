import fsspec
import numpy as np
import pytest
from etils import epath

tfds = pytest.importorskip("tensorflow_datasets")

from tfdfm import stores  # noqa: E402
from tfdfm.data import NAMED, describe, load, loading, tfds_source  # noqa: E402
from tfdfm.data.names import Named  # noqa: E402
from tfdfm.errors import Failure, UsageError  # noqa: E402

WORDNET = ["n02119789", "n01440764", "n02100735"]  # in no order, as imagenet_resized has them
_FEATURES = {
    "wordnet": {"image": tfds.features.Image(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(names=WORDNET)},
    "labelled": {"image": tfds.features.Image(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(names=["x", "y"])},
    "ragged": {"image": tfds.features.Image(shape=(None, None, 1)), "other": np.int64},
    "imageless": {"picture": tfds.features.Image(shape=(8, 8, 3)), "text": tfds.features.Text()},
}


class TinyImages(tfds.core.GeneratorBasedBuilder):
    """Twelve images; one config for each shape of data set."""

    VERSION = tfds.core.Version("1.2.3")
    BUILDER_CONFIGS = tuple(tfds.core.BuilderConfig(name=name) for name in _FEATURES)
    pkg_dir_path = epath.Path(__file__).parent  # or TFDS wants this module to be a package
    shift = 0

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(_FEATURES[self.builder_config.name])
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(12), "test": self._generate_examples(3)}

    def _generate_examples(self, count):
        for i in range(count):
            if self.builder_config.name in ("labelled", "wordnet"):
                classes = len(_FEATURES[self.builder_config.name]["label"].names)
                yield i, {"image": np.full((8, 8, 3), i + self.shift, np.uint8), "label": i % classes}
            else:
                yield i, {"image": np.full((20 + i, 50 - i, 1), i, np.uint8), "other": i}


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """A folder with the labelled and the ragged configuration prepared in it."""
    monkeypatch.setattr(TinyImages, "shift", 0)
    for config in ("labelled", "ragged"):
        TinyImages(config=config, data_dir=tmp_path / "tfds").download_and_prepare()
    return str(tmp_path / "tfds")


@pytest.fixture
def read(tmp_path, data_dir):
    def run(name, **how):
        return load(name, **{"data_dir": data_dir, "cache_dir": str(tmp_path / "cache"), **how})

    return run


def test_any_tfds_name(read, data_dir, monkeypatch):
    images = read("tiny_images/labelled")
    assert images.pixels.shape == (12, 16, 16, 3)
    assert images.source == "tfds tiny_images/labelled:1.2.3 train"
    assert images.class_names == ("x", "y")
    values = images.pixels[:, 0, 0, 0]
    np.testing.assert_array_equal(np.sort(values), np.arange(12))
    np.testing.assert_array_equal(images.labels, values % 2)
    assert describe("tiny_images/labelled") == (16, 3, 2)
    monkeypatch.setenv("TFDS_DATA_DIR", data_dir)
    np.testing.assert_array_equal(read("tiny_images/labelled", data_dir=None, image_size=8).pixels[:, 0, 0, 0], values)


def test_a_data_dir_in_a_store(read, data_dir, tmp_path, monkeypatch):
    memory, url = fsspec.filesystem("memory"), "memory://bucket/tfds"
    memory.put(data_dir, "/bucket/tfds", recursive=True)
    images = read("tiny_images/labelled", data_dir=url)
    np.testing.assert_array_equal(images.pixels, read("tiny_images/labelled").pixels)
    copied = stores.place(f"{url}/tiny_images")
    assert [path.name for path in copied.iterdir()] == ["labelled"]  # the other configuration was not asked for
    script = tmp_path / "prepare.py"
    script.write_text(f"import shutil, sys; shutil.copytree({data_dir!r}, sys.argv[2], dirs_exist_ok=True)")
    monkeypatch.setattr(tfds_source.download, "__file__", str(script))
    images = read("tiny_images/labelled", data_dir="memory://bucket/empty", cache_dir=str(tmp_path / "other"))
    assert len(images.pixels) == 12
    prepared = {path.removeprefix("/bucket/tfds") for path in memory.find("/bucket/tfds") if "labelled" in path}
    assert prepared <= {path.removeprefix("/bucket/empty") for path in memory.find("/bucket/empty")}


def test_classes_of_wordnet_come_in_its_order_whatever_the_sources(tmp_path):
    TinyImages(config="wordnet", data_dir=tmp_path / "tfds").download_and_prepare()
    how = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "cache")}
    for _ in ("prepared now", "from the cache"):
        images = load("tiny_images/wordnet", **how)
        assert images.class_names == tuple(sorted(WORDNET)) and images.labels.dtype == np.int32
        named = [images.class_names[label] for label in images.labels]
        assert named == [WORDNET[value % 3] for value in images.pixels[:, 0, 0, 0]]


def test_images_of_many_sizes_without_labels(read):
    images = read("tiny_images/ragged", image_size=16)
    assert images.pixels.shape == (12, 16, 16, 1)
    assert images.labels is None
    assert describe("tiny_images/ragged") == (64, 1, None)


def test_another_split_and_labels_left_out(read, monkeypatch):
    monkeypatch.setitem(loading.NAMED, "mine", Named(("tiny_images/labelled",), 8, 3, None, split="test"))
    images = read("mine")
    assert len(images.pixels) == 3
    assert images.labels is None
    assert images.class_names == ()
    assert images.source.endswith(" test")


def test_test_images(read, tmp_path):
    images = read("tiny_images/labelled", split="test")
    assert images.source == "tfds tiny_images/labelled:1.2.3 test"
    assert len(images.pixels) == len(images.labels) == 3
    assert len(read("tiny_images/labelled").pixels) == 12
    again = read("tiny_images/labelled", split="test", data_dir=str(tmp_path / "nothing"))  # from the cache
    np.testing.assert_array_equal(images.pixels, again.pixels)


@pytest.mark.parametrize("split", ["validation", "extra"])
def test_validation_images_stand_in_for_test_images(read, tmp_path, monkeypatch, split):
    def splits(self, _):
        return {"train": self._generate_examples(5), split: self._generate_examples(2)}

    monkeypatch.setattr(TinyImages, "_split_generators", splits)
    TinyImages(config="labelled", data_dir=tmp_path / "other").download_and_prepare()
    other = str(tmp_path / "other")
    if split == "validation":
        assert len(read("tiny_images/labelled", data_dir=other, split="test").pixels) == 2
    else:
        with pytest.raises(UsageError, match="has no test images, only the splits extra, train"):
            read("tiny_images/labelled", data_dir=other, split="test")


def test_the_first_prepared_source_is_taken(read, monkeypatch):
    monkeypatch.setitem(loading.NAMED, "mine", Named(("cifar10", "tiny_images/labelled"), 8, 3, 2))
    assert read("mine").source == "tfds tiny_images/labelled:1.2.3 train"
    monkeypatch.setitem(loading.NAMED, "mine", Named(("tiny_images/labelled", "cifar10"), 8, 3, 2))
    assert read("mine").source == "tfds tiny_images/labelled:1.2.3 train"


def test_changed_contents_are_prepared_anew(read, tmp_path, monkeypatch):
    read("tiny_images/labelled")
    monkeypatch.setattr(TinyImages, "shift", 100)
    monkeypatch.setattr(TinyImages, "_split_generators", lambda self, _: {"train": self._generate_examples(11)})
    TinyImages(config="labelled", data_dir=tmp_path / "other").download_and_prepare()
    images = read("tiny_images/labelled", data_dir=str(tmp_path / "other"))
    assert images.pixels.min() == 100
    assert len(images.pixels) == 11


def test_the_cache_outlives_its_source(read, tmp_path):
    first = read("tiny_images/labelled")
    again = read("tiny_images/labelled", data_dir=str(tmp_path / "nothing"))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert again.source == first.source


def test_sets_without_images_and_unknown_names(read):
    with pytest.raises(UsageError, match="uint8 feature 'image'; tiny_images/imageless has the features picture, text"):
        read("tiny_images/imageless")
    for name, expected in {
        "cifr10": "Did you mean 'cifar10'? Known: ",
        "imagenet_resize": "Did you mean 'imagenet_resized'?",
        "lsun/bedrom": "Unknown configuration of lsun 'bedrom'. Did you mean 'bedroom'?",
        "nothing at all": "folder:DIR_OR_ZIP, huggingface:NAME, imagenet128",
    }.items():
        with pytest.raises(UsageError) as error:
            read(name)
        assert expected in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [name for name, entry in NAMED.items() if entry.tfds])
def test_the_table_agrees_with_tfds(name):
    for each in NAMED[name].tfds:
        size, channels, classes = describe(each)
        assert channels == NAMED[name].channels
        assert NAMED[name].num_classes in (classes, None)
        if each.startswith(("mnist", "fashion", "cifar", "svhn", "imagenet_resized")):
            assert size == NAMED[name].image_size


def test_files_to_be_fetched_by_hand_are_named_at_once(tmp_path):
    with pytest.raises(Failure) as error:
        load("imagenet128", data_dir=str(tmp_path / "tfds"), cache_dir=str(tmp_path / "cache"))
    text = str(error.value)
    assert "ILSVRC2012_img_train.tar" in text and "cannot be had: its files have to be fetched by hand" in text
    assert f"{tmp_path}/tfds/downloads/manual" in text
    assert f"tfds build imagenet2012 --data_dir {tmp_path}/tfds" in text
    assert "\n" not in text


def test_damaged_tfds_files_are_named(read, tmp_path):
    (record,) = (tmp_path / "tfds").glob("tiny_images/labelled/*/*train*")
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 255
    record.write_bytes(data)
    with pytest.raises(Failure, match="Cannot read .*labelled") as error:
        read("tiny_images/labelled")
    assert "\n" not in str(error.value)

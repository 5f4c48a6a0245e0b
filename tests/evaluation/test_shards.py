"""An evaluation in shards is, to the bit, that of one machine; what is missing, damaged or of another is one line."""

import json
import re
import shlex
import shutil

import exports
import numpy as np
import pytest

from tfdfm.classifiers import features, lookup
from tfdfm.errors import Failure, UsageError
from tfdfm.evaluation import image_sets
from tfdfm.evaluation.shards import Shard, parse
from tfdfm.sampling.sampler import Local

NUM = 150  # two batches and a bit
MERGE = (f"--num={NUM}", "--merge")
METRICS = "inception_score,frechet_distance,kernel_distance,precision,recall,density,coverage"
METRICS += ",ms_ssim,accuracy,nearest_neighbours"


@pytest.fixture
def sharded(score):
    """Draws and classifies these shards of a run."""

    def make(run_dir, count, numbers, *more):
        for number in numbers:
            score(f"--run_dir={run_dir}", f"--num={NUM}", f"--shard={number}/{count}", *more)

    return make


@pytest.fixture
def copied(made, tmp_path):
    """A run of digits to write in."""
    return shutil.copytree(made("digits-seed0"), tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))


def shards(run_dir) -> list:
    return sorted((run_dir / "evaluation" / "shards").glob("*.npz"))


def test_merged_scores_are_those_of_one_machine_to_the_bit(score, sharded, made, tmp_path):
    run_dir = made("digits_conditional-seed0", conditional=True)
    asked = (f"--run_dir={run_dir}", f"--num={NUM}", "--seed=3", f"--metrics={METRICS}", "--splits=5")
    score(*asked, f"--json={tmp_path / 'whole.json'}")
    sharded(run_dir, 2, (1, 0), "--seed=3")
    score(*asked, f"--json={tmp_path / 'merged.json'}", "--merge")
    found = json.loads((tmp_path / "merged.json").read_text())
    assert found == json.loads((tmp_path / "whole.json").read_text()) and found.keys() == set(METRICS.split(","))


def test_an_ensembles_shards_are_its_samples_to_the_bit(classifier):
    network, labels = lookup.find(classifier), np.arange(NUM) % 6
    drawn = image_sets.Drawn(Local(exports.ensemble(channels=1)), range(5, 5 + NUM), labels)
    parts = [features.features(drawn.part(Shard(number, 3).rows(NUM)), network) for number in range(3)]
    for one, other in zip(features.joined(NUM, parts), features.features(drawn, network), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shards_are_all_samples_once_in_whole_batches():
    for num in (2, 64, 65, 130, 1000, 50_000):
        for count in range(1, min(-(-num // 64), 9) + 1):
            rows = [Shard(number, count).rows(num) for number in range(count)]
            assert rows[0].start == 0 and rows[-1].stop == num
            assert all(one.stop == two.start and two.start % 64 == 0 for one, two in zip(rows, rows[1:], strict=False))
            sizes = [each.stop - each.start for each in rows]
            assert min(sizes) > 0 and max(sizes) - min(sizes) < 128


def test_those_that_are_missing_are_named_with_their_command(score, sharded, copied, monkeypatch):
    merge = (f"--run_dir={copied}", *MERGE, "--metrics=frechet_distance")
    with pytest.raises(Failure, match=r"found none\. Make each of n: python -m tfdfm.evaluate .* --shard=i/n"):
        score(*merge)
    sharded(copied, 3, [2])
    sharded(copied, 2, [1])  # of which fewer are missing
    with pytest.raises(Failure, match="1 of 2 shards are missing") as caught:
        score(*merge)
    loop = re.fullmatch(r".*Make them: for i in 0; do python -m tfdfm\.evaluate (.*); done", str(caught.value))
    score(*shlex.split(loop[1].replace("$i", "0")))
    monkeypatch.setattr(image_sets.Drawn, "__getitem__", None)  # no image is drawn again
    score(*merge)
    with pytest.raises(Failure, match="found none"):
        score(*merge, "--seed=1")


def test_one_that_is_damaged_or_of_other_weights_is_named_with_its_command(score, sharded, copied, made):
    other = made("another-seed0", seed=5)
    sharded(copied, 2, range(2))
    sharded(other, 2, [1])
    first, second = (path.read_bytes() for path in shards(copied))
    flipped = bytearray(second)
    flipped[len(second) // 2] ^= 1
    wrong = {
        "is damaged": [second[:3000], flipped],
        r"differs from this run and classifier in checksum\.": [shards(other)[0].read_bytes()],
        r"differs from this run and classifier in shard\.": [first],
    }
    for said, contents in wrong.items():
        for content in contents:
            shards(copied)[1].write_bytes(content)
            with pytest.raises(Failure, match=rf"1of2.npz {said}.* Make it again: .* --shard=1/2"):
                score(f"--run_dir={copied}", *MERGE)
    shards(copied)[1].write_bytes(second)
    renamed = shutil.copytree(copied, copied.with_name("renamed"))  # the same weights under another name
    score(f"--run_dir={renamed}", *MERGE, "--metrics=frechet_distance")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard=2/2"], r"Expected --shard=i/n with 0 <= i < n .*, given 2/2"),
        (["--shard=1"], "given 1"),
        (["--shard=-1/2"], "given -1/2"),
        (["--shard=0/0"], "given 0/0"),
        (["--shard=0/4", f"--num={NUM}"], "one of at most 3: 150 samples are as many batches of 64. Given 0/4"),
        (["--shard=0/2", "--merge"], "Given both"),
        (["--shard=0/2", "--metrics=recall", "--json=a"], "leave out --metrics, --json, which --merge takes"),
        (["--merge", "--protocol=dfm"], "A protocol draws groups of its own"),
    ],
)
def test_mistakes_end_in_one_line(score, made, arguments, message):
    with pytest.raises(UsageError, match=message):
        score(f"--run_dir={made('digits-seed0')}", *arguments)


@pytest.mark.parametrize("flag", ["--shard=0/2", "--merge"])
def test_stored_images_have_no_shards(score, flag):
    with pytest.raises(UsageError, match="are for the samples of a run: set --run_dir"):
        score("--images=digits", flag)


def test_the_first_is_number_zero():
    assert parse("0/8") == (0, 8) and parse("7/8").rows(1024) == slice(896, 1024)

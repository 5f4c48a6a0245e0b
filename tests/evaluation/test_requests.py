"""Which classifier judges a run: not the one that its discriminator looked through."""

from pathlib import Path

import commands
import pytest

from tfdfm.errors import UsageError
from tfdfm.evaluation.requests import Request


@pytest.fixture(scope="module")
def projected(tmp_path_factory) -> Path:
    make = commands.maker(tmp_path_factory.mktemp("runs"), steps=1, jit="off")
    return make(terms=("hinge",), **{"discriminator.network": "Projected", "discriminator.head": 4})


def test_the_classifier_that_d_looked_through_is_no_judge(projected):
    with pytest.raises(UsageError, match="made to please efficientnet_lite0. Set --classifier, to dataset for one"):
        Request(projected, None, classifier="efficientnet_lite0").evaluation()


def test_another_is(projected, classifier):
    assert Request(projected, None, classifier=str(classifier)).evaluation().classifier.name == str(classifier)

"""Percentages against a hand-worked count, the paper's parts of its grids, and the pictures."""

import numpy as np
import pytest

from tfdfm.errors import UsageError
from tfdfm.searching import drawing, results
from tfdfm.searching.histogram import BINS, histogram, text


def model(score, **settings):
    scores = {} if score is None else {"modified_inception_score": {"value": score}}
    return {"settings": settings, "failed": None if scores else "Step 3: ...", "scores": scores, "seconds": 1.0}


EBGAN = [model(2.0, g=2, d=2), model(1.95, g=2, d=5), model(0.05, g=5, d=2), model(0.0, g=5, d=5)]
GAN = [model(0.35, g=2, d=2, lr=0.1), model(None, g=2, d=2, lr=0.2), model(1.0, g=3, d=2, lr=0.2)]
SEARCHES = {"ebgan": EBGAN, "gan": GAN}


def shares(bars):
    return {place: bars.percent[place] for place in np.nonzero(bars.percent)[0]}


def test_a_hand_worked_count():
    """Twenty bins of a tenth, the highest score in the last."""
    made = histogram(SEARCHES)
    (panel,) = made.panels
    np.testing.assert_allclose(made.edges, np.arange(BINS + 1) / 10)
    assert shares(panel.bars["ebgan"]) == {0: 50.0, 19: 50.0} and panel.bars["ebgan"].failed == 0
    assert panel.bars["ebgan"].count == 4 and panel.bars["gan"].count == 3
    assert shares(panel.bars["gan"]) == pytest.approx({3: 100 / 3, 10: 100 / 3})
    assert panel.bars["gan"].failed == pytest.approx(100 / 3)


def test_the_bins_start_at_0_or_below_it():
    assert histogram({"a": [model(1.0), model(3.0)]}).edges[0] == 0
    assert histogram({"a": [model(-1.0), model(3.0)]}).edges[0] == -1


def test_figure_2_constrains_the_keys_together():
    panels = histogram(SEARCHES, at_most=["g", "d"]).panels
    assert [panel.title for panel in panels] == [f"g<={bound}, d<={bound}" for bound in (5, 3, 2)]
    counts = [[bars.count for bars in panel.bars.values()] for panel in panels]
    assert counts == [[4, 3], [1, 3], [1, 2]]
    assert shares(panels[1].bars["ebgan"]) == {19: 100.0}


def test_figure_3_has_a_panel_for_each_combination_and_the_reference_in_all():
    panels = histogram(SEARCHES, by=["lr", "g"]).panels
    assert [panel.title for panel in panels] == ["lr=0.1, g=2", "lr=0.2, g=2", "lr=0.2, g=3"]
    assert [panel.bars["gan"].count for panel in panels] == [1, 1, 1]
    assert [panel.bars["ebgan"].count for panel in panels] == [2, 2, 0]  # of g 2, and whatever lr


def test_scores_of_two_classifiers_are_told(caplog):
    other = model(1.0)
    histogram({"a": [model(1.0)], "b": [other]})
    assert not caplog.text
    other["scores"]["modified_inception_score"]["classifier"] = {"name": "another"}
    histogram({"a": [model(1.0)], "b": [other]})
    assert "do not compare" in caplog.text


def test_unknown_keys_are_refused():
    with pytest.raises(UsageError, match=r"Expected keys of these searches \(d, g, lr\), given depth"):
        histogram(SEARCHES, by=["depth"])


@pytest.mark.parametrize("models", [[model(None)], [model(0.0)]])
def test_nothing_but_failures_or_zeros(models):
    (panel,) = histogram({"a": models}).panels
    assert panel.bars["a"].failed + panel.bars["a"].percent.sum() == 100


def test_the_text_says_every_bin():
    lines = text(histogram(SEARCHES)).splitlines()
    assert lines[0].split() == ["all", "ebgan", "(4)", "gan", "(3)"]
    assert lines[1].split() == ["failed", "0.0", "%", "33.3", "%"]
    assert lines[2].split() == ["0", "to", "0.1", "50.0", "%", "0.0", "%"] and len(lines) == 2 + BINS


def test_best_first_failed_last_and_those_beyond_the_table_counted():
    many = [model(value / 10, seed=value) for value in range(30)] + [model(None, seed=99)]
    lines = results.table(sorted(many, key=results._rank)).splitlines()
    assert lines[0].split() == ["modified_inception_score", "seconds", "seed"]
    assert lines[1].split() == ["2.9", "1", "29"] and lines[-1] == "... and 11 more"


def heights(figure, place=0):
    """{label: heights of its bars, the failed ones first} of a panel."""
    return {bars.get_label(): [bar.get_height() for bar in bars] for bars in figure.axes[place].containers}


def test_the_bars_of_a_picture_are_as_high_as_their_shares():
    made = histogram({"a": [model(1.0), model(1.0), model(None)], "b": [model(1.0), model(0.0)]})
    found = heights(drawing.figure_of(made))
    assert found.keys() == {"a (3)", "b (2)"}
    assert found["a (3)"] == pytest.approx([100 / 3, *[0] * (BINS - 1), 200 / 3])
    assert found["b (2)"] == pytest.approx([0, 50, *[0] * (BINS - 2), 50])


def test_a_picture_has_a_panel_for_each_part_and_every_search_its_colour():
    picture = drawing.histograms(histogram(SEARCHES, by=["d"]))
    assert picture.dtype == np.uint8 and picture.shape == (300, 2 * 440, 3)
    for colour in drawing.COLOURS[:2]:
        assert (picture == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).any()

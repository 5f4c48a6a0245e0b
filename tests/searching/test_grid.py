"""Grids: the paper's sizes, the types of their values, and the fixed order of any part."""

import pytest

from tfdfm import objectives, recipes
from tfdfm.errors import UsageError
from tfdfm.searching import grid


def settings(name, **more):
    return grid.settings(grid.axes(recipes.recipe(name), recipes.grid(name) | more))


@pytest.mark.parametrize(("name", "count"), [("mnist_ebgan_grid", 512), ("mnist_gan_grid", 6144)])
def test_table_1_of_ebgan(name, count):
    found = settings(name)
    assert len(found) == len({setting.name for setting in found}) == count
    assert all(setting.values["generator.depth"] in (2, 3, 4, 5) for setting in found)


def test_both_grids_take_as_many_steps_and_differ_in_the_game():
    ebgan, gan = (recipes.check(recipes.recipe(f"mnist_{name}_grid")) for name in ("ebgan", "gan"))
    assert recipes.differences(recipes.check(recipes.recipe("mnist_ebgan")), ebgan) == []
    changed = {line.split(":")[0] for line in recipes.differences(ebgan, gan)}
    assert {key for key in changed if key.split(".")[0] not in objectives.names()} == {"terms", "discriminator.network"}


def test_every_recipe_without_a_grid_has_none():
    assert [name for name in recipes.names() if name.endswith("_grid") != bool(recipes.grid(name))] == []


def test_the_lot_is_the_same_for_ever():
    """A search that goes on with another version of tfdfm finds its folders and draws the same part."""
    assert settings("mnist_ebgan_grid")[0] == grid.Setting(
        "001f93fd948e",
        {
            "generator.depth": 5,
            "discriminator.depth": 3,
            "generator.width": 800,
            "discriminator.width": 128,
            "discriminator.dropout": 0.5,
        },
    )


def test_a_part_by_fixed_keys_has_the_settings_of_the_whole_in_its_order():
    whole, part = settings("mnist_ebgan_grid"), settings("mnist_ebgan_grid", **{"generator.depth": ["5"]})
    assert part == [setting for setting in whole if setting.values["generator.depth"] == 5] and len(part) == 128


def test_values_take_the_recipes_types_and_come_once():
    found = grid.axes(
        recipes.recipe("mnist_ebgan"), {"optimizer.learning_rate": ["1", "1e-4", "0.0001"], "flip": ["true", False]}
    )
    assert found == {"optimizer.learning_rate": [1.0, 1e-4], "flip": [True, False]}
    assert type(found["optimizer.learning_rate"][0]) is float


def test_a_setting_is_its_recipe():
    base = recipes.recipe("mnist_ebgan")
    made = grid.configured(base, grid.Setting("", {"generator.width": 7, "terms": ("ebgan", "pull_away"), "seed": 3}))
    assert (made.generator.width, made.terms, made.seed) == (7, ("ebgan", "pull_away"), 3)
    assert (base.generator.width, base.terms, base.seed) == (800, ("ebgan",), 0)


def test_unknown_keys_and_impossible_values():
    base = recipes.recipe("mnist_ebgan")
    with pytest.raises(UsageError, match="Unknown key 'generator.dept'. Did you mean 'generator.depth'"):
        grid.axes(base, {"generator.dept": ["2"]})
    with pytest.raises(UsageError, match="to be of type int"):
        grid.axes(base, {"seed": ["a"]})
    with pytest.raises(UsageError, match="generator.width to be at least 1"):
        grid.configured(base, grid.Setting("", {"generator.width": 0}))

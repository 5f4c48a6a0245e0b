import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searching import examples

from tfdfm import objectives, recipes
from tfdfm.errors import UsageError
from tfdfm.recipes.keys import flat


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_valid_and_says_what_it_is(name):
    config = recipes.check(recipes.recipe(name))
    doc = (recipes.folder() / f"{name}.py").read_text()
    assert doc.startswith('"""') and "Run: python -m tfdfm.train" in doc.split('"""')[1]
    assert set(config) & set(objectives.names()) == set(config.terms) & set(objectives.names())


def test_a_whole_number_of_a_network_is_as_small_as_its_default_or_1():
    config = recipes.recipe("cifar10_improved")
    assert recipes.check(recipes.override(config, {"generator.reference": "0"})).generator.reference == 0
    for key in ("generator.reference", "discriminator.kernels"):
        wrong = recipes.override(recipes.recipe("cifar10_improved"), {key: "-1"})
        with pytest.raises(UsageError, match=f"Expected {key} to be at least {int(key.endswith('kernels'))}, given -1"):
            recipes.check(wrong)


@pytest.mark.parametrize("name", [name for name in recipes.names() if f"{name}_gan" in recipes.names()])
def test_a_baseline_differs_from_its_recipe_in_the_terms_alone(name):
    base, twin = recipes.recipe(name), recipes.recipe(f"{name}_gan")
    assert [line.split(":")[0] for line in recipes.differences(base, twin)] == ["terms"]
    assert set(base.terms) - set(twin.terms) == {"dfm"}


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "cifar10", "stl10", "imagenet32"])
def test_the_named_sets_have_a_recipe_and_its_baseline(name):
    assert recipes.recipe(name).dataset == name
    assert f"{name}_gan" in recipes.names()


@pytest.mark.parametrize(
    ("asked", "run", "dataset"),
    [
        ((None, None), "digits", "digits"),
        ((None, "mnist"), "mnist", "mnist"),
        ((None, "folder:a/flowers"), "flowers", "folder:a/flowers"),
        ((None, "lsun/bedroom"), "lsun_bedroom", "lsun/bedroom"),
        (("cifar10_gan", None), "cifar10_gan", "cifar10"),
        (("cifar10", "svhn_cropped"), "cifar10-svhn_cropped", "svhn_cropped"),
        (("mnist_gan", "mnist"), "mnist_gan", "mnist"),
    ],
)
def test_recipe_and_data_set_are_chosen_apart(asked, run, dataset):
    label, config = recipes.select(*asked)
    assert (label, config.dataset) == (run, dataset)


def test_a_recipe_may_be_any_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from tfdfm.recipes import recipe\n\ndef get_config():\n    return recipe('mnist')\n")
    assert recipes.select(str(path), None)[0] == "mine"


def test_overrides_take_the_type_of_what_they_replace():
    config = recipes.override(
        recipes.defaults(),
        {"dfm.sigma": "2", "flip": "true", "terms": "minimax,dfm", "dataset": "1e3", "generator.width": "8"},
    )
    assert (config.dfm.sigma, config.flip, config.dataset) == (2.0, True, "1e3")
    assert (config.terms, config.generator.width) == (("minimax", "dfm"), 8)
    assert recipes.override(recipes.defaults(), {"terms": "('minimax',)"}).terms == ("minimax",)


@pytest.mark.parametrize("text", ["gap", "('gap', 2)", "['minimax', 'dmf']"])
def test_terms_that_do_not_exist_are_refused(text):
    with pytest.raises(UsageError):
        recipes.check(recipes.override(recipes.defaults(), {"terms": text}))


def test_a_networks_keys_are_its_own():
    other = recipes.check(recipes.override(recipes.defaults(), {"generator.network": "FullyConnected"}))
    assert other.generator.to_dict() == {"network": "FullyConnected", "depth": 5, "width": 64}
    config = recipes.override(recipes.recipe("mnist_ebgan"), {"discriminator.depth": "3"})
    assert recipes.check(config).discriminator.depth == 3
    with pytest.raises(UsageError, match="Unknown key 'generator.depth'"):
        recipes.override(recipes.defaults(), {"generator.depth": "3"})
    config.discriminator.network = "DCGAN"
    with pytest.raises(
        UsageError, match="DCGAN has no depth; its keys are batch_norm, class_logits, network, projection, width"
    ):
        recipes.check(config)


@pytest.mark.parametrize("key", ["seed", "optimizer.halve_every"])
def test_numbers_below_zero_are_refused(key):
    with pytest.raises(UsageError, match=f"{key} to be at least 0, given -1"):
        recipes.check(recipes.override(recipes.defaults(), {key: "-1"}))


@pytest.fixture
def stored(tmp_path):
    """A run's config.json: its path and its contents."""
    path = tmp_path / "config.json"
    contents = recipes.check(recipes.recipe("digits")).to_dict() | {"data": {"count": 1}}
    path.write_text(json.dumps(contents))
    return path, contents


@pytest.mark.parametrize("name", ["digits", "mnist_ebgan", "cifar10_began"])
def test_what_a_run_stores_comes_back_the_same(tmp_path, name):
    config, path = recipes.check(recipes.recipe(name)), tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict() | {"data": {"count": 1}}))
    assert recipes.differences(config, recipes.check(recipes.read(path))) == []


def test_a_digit_that_changed_is_found_and_may_be_meant(tmp_path):
    config, path = recipes.check(recipes.recipe("digits")), tmp_path / "config.json"
    config.dfm.sigma = 0.3
    recipes.write(path, config, {"count": 1})
    assert recipes.differences(config, recipes.check(recipes.read(path))) == []
    changed = path.read_text().replace('"sigma": 0.3', '"sigma": 0.7')
    path.write_text(changed)
    with pytest.raises(UsageError, match=f"^{path} is damaged, or was changed by hand: .* remove the line sha256"):
        recipes.read(path)
    path.write_text(json.dumps({key: value for key, value in json.loads(changed).items() if key != "sha256"}))
    assert recipes.read(path).dfm.sigma == 0.7


LIKE = {
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(),
}


@examples(30)
@given(name=st.sampled_from(recipes.names()), data=st.data())
def test_any_values_come_back_from_flags_and_from_json_the_same(name, data):
    """Of their types; they need make no sense."""
    config = recipes.check(recipes.recipe(name))
    own = {key: value for key, value in flat(config).items() if type(value) in LIKE and ".network" not in key}
    chosen = data.draw(st.lists(st.sampled_from(sorted(own)), unique=True, max_size=4))
    values = {key: data.draw(LIKE[type(own[key])]) for key in chosen}
    config = recipes.override(config, {key: str(value) for key, value in values.items()})
    assert {key: flat(config)[key] for key in values} == values
    read = flat(recipes.of_json(json.loads(json.dumps(config.to_dict())), Path("config.json")))
    assert {key: (type(value), value) for key, value in flat(config).items()} == {
        key: (type(read[key]), read[key]) for key in flat(config)
    }


def test_every_truncation_of_config_json_is_found(stored):
    path, contents = stored
    text = json.dumps(contents)
    for length in range(len(text)):
        path.write_text(text[:length])
        with pytest.raises(UsageError, match=f"^{path} is damaged"):
            recipes.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": None},
        {"steps": "many"},
        {"steps": 2.5},
        {"terms": 3},
        {"terms": [[3]]},
        {"terms": ["nonsense"]},
        {"generator": 3},
        {"generator": {"network": "Radfort"}},
        {"generator": {"network": "DCGAN", "length": 3}},
        {"generator": {"network": "DCGAN", "width": "wide"}},
        {"optimizer": []},
        {"flip": 1},
        {"unknown": 1},
    ],
)
def test_a_damaged_value_is_named_and_never_trained_on(stored, change):
    path, contents = stored
    path.write_text(json.dumps(contents | change))
    with pytest.raises(UsageError) as error:
        recipes.read(path)
    assert str(path) in str(error.value) and next(iter(change)) in str(error.value)


@pytest.mark.parametrize("key", ["flip", "log_every", "dfm", "optimizer", "optimizer.epsilon", "generator.width"])
def test_a_key_that_is_newer_than_the_run_has_its_default(stored, key):
    path, contents = stored
    *parents, leaf = key.split(".")
    del (contents[parents[0]] if parents else contents)[leaf]
    path.write_text(json.dumps(contents))
    found, default = flat(recipes.read(path)), flat(recipes.defaults()) | {"generator.width": 128}
    assert {name: found[name] for name in found if name.startswith(key)} == {
        name: default[name] for name in default if name.startswith(key)
    }


def test_without_terms_nobody_knows_what_a_run_was(stored):
    path, contents = stored
    del contents["terms"]
    path.write_text(json.dumps(contents))
    with pytest.raises(UsageError, match="expected terms"):
        recipes.read(path)


@pytest.mark.parametrize("text", ["", "3", "[]", "null", '"text"', "\0\0\0\0", "{}"])
def test_a_file_that_is_no_recipe_is_named(stored, text):
    path, _ = stored
    path.write_text(text)
    with pytest.raises(UsageError, match=f"^{path} is damaged"):
        recipes.read(path)


def test_a_file_that_is_no_text_is_named(stored):
    path, _ = stored
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match=f"^{path} is damaged"):
        recipes.read(path)


def test_a_key_of_a_term_that_the_recipe_has_not_is_refused():
    with pytest.raises(
        UsageError, match=r"--config.dfm.sigma has no effect: the recipe's terms are \('nonsaturating',\)"
    ):
        recipes.override(recipes.recipe("digits_gan"), {"dfm.sigma": "2"})


@pytest.mark.parametrize(
    ("key", "text", "value"), [("denoiser.whiten", "true", True), ("discriminator.batch_norm", "False", False)]
)
def test_a_networks_keys_can_be_set_where_the_recipe_leaves_them_at_their_defaults(key, text, value):
    kind, name = key.split(".")
    assert recipes.override(recipes.recipe("cifar10"), {key: text})[kind][name] is value

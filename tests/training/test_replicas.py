"""Two replicas with half a batch each are one replica with all of it (issue 2, point 4)."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.training import distribution

COUPLED = (
    "gradient_norm",
    "feature_deviation",
    "unexplained_variance",
)  # over the examples of a replica: means over replicas


@pytest.fixture(scope="module")
def mirrored():
    made = distribution.strategy("mirrored")
    assert made.num_replicas_in_sync == 2
    return made


def warm(trainer):
    """Population statistics away from their initial zeros and ones, the same for everyone."""
    rng = np.random.default_rng(5)
    for network in trainer.networks.values():
        for norm in network.norms:
            norm.mean.assign(rng.normal(0, 0.1, norm.mean.shape))
            norm.variance.assign(rng.uniform(0.1, 0.5, norm.variance.shape))
    return trainer


def agree(ours, expected, tolerance=1e-5):
    """Weights, gradients (Adam's first moments) and all else to a share of each tensor's largest number."""
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=tolerance * scale + 1e-9, err_msg=name)


def same_logs(ours, expected):
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        if not any(word in name for word in COUPLED):
            assert ours[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name


FULL = dict(conditional=True, flip=True, ema_decay=0.9)


@pytest.fixture(scope="module")
def one_frozen():
    """State and logs of two steps on one replica in eager mode, batch norm frozen."""
    trainer = warm(toys.trainer(batch_norm="frozen", **FULL))
    step = toys.stepper(trainer, graph=False)
    logs = [step(toys.batch(number, labels=True)) for number in range(2)]
    return toys.state(trainer), logs


@pytest.mark.parametrize("mode", ["graph", pytest.param("xla", marks=pytest.mark.whole)])
def test_graph_xla_and_eager_agree(one_frozen, mode):
    trainer = warm(toys.trainer(jit=mode == "xla", batch_norm="frozen", **FULL))
    step = toys.stepper(trainer)
    for number, expected in enumerate(one_frozen[1]):
        assert step(toys.batch(number, labels=True)) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    agree(toys.state(trainer), one_frozen[0], 3e-5)


@pytest.mark.parametrize("mode", ["graph", pytest.param("xla", marks=pytest.mark.whole)])
def test_two_replicas_are_one_when_batch_norm_is_frozen(one_frozen, mirrored, mode):
    trainer = warm(toys.trainer(mirrored, jit=mode == "xla", batch_norm="frozen", **FULL))
    step = toys.replicated(trainer, mirrored)
    for number, expected in enumerate(one_frozen[1]):
        same_logs(step(toys.batch(number, labels=True)), expected)
    agree(toys.state(trainer), one_frozen[0], 3e-5)


def test_two_replicas_are_one_when_batch_norm_is_synchronised(mirrored):
    one, two = (toys.trainer(where, batch_norm="synchronised", **FULL) for where in (None, mirrored))
    batch = toys.batch(labels=True)
    same_logs(toys.replicated(two, mirrored)(batch), toys.stepper(one, graph=False)(batch))
    agree(toys.state(two), toys.state(one), 1e-5)


@pytest.mark.parametrize("mode", ["eager", "graph", pytest.param("xla", marks=pytest.mark.whole)])
def test_parts_of_a_batch_are_the_whole_when_batch_norm_is_frozen(one_frozen, mode):
    trainer = warm(toys.trainer(jit=mode == "xla", batch_norm="frozen", accumulate=4, **FULL))
    step = toys.stepper(trainer, graph=mode != "eager")
    for number, expected in enumerate(one_frozen[1]):
        same_logs(step(toys.batch(number, labels=True)), expected)
    agree(toys.state(trainer), one_frozen[0], 3e-5)


@pytest.mark.parametrize("keys", [{}, {"n_critic": 2, "play": "alternating", "terms": ("hinge", "diffaugment")}])
def test_two_parts_are_two_replicas_whatever_batch_norm_does(mirrored, keys):
    parts, replicas = toys.trainer(accumulate=2, **keys), toys.trainer(mirrored, **keys)
    batch = toys.batch(size=toys.BATCH * keys.get("n_critic", 1))
    same_logs(toys.stepper(parts)(batch), toys.replicated(replicas, mirrored)(batch))
    agree(toys.state(parts), toys.state(replicas), 1e-5)


def test_two_replicas_add_l2_once(mirrored):
    keys = dict(terms=("minimax",), batch_norm="frozen", optimizer=dict(method="sgd", l2=0.5))
    one, two = (warm(toys.trainer(where, **keys)) for where in (None, mirrored))
    same_logs(toys.replicated(two, mirrored)(toys.batch()), toys.stepper(one, graph=False)(toys.batch()))
    agree(toys.state(two), toys.state(one), 3e-5)


class Half:
    """The gradients of one half of the batch, on one replica with statistics of its own."""

    def __init__(self, place):
        self.trainer = toys.trainer()
        size = toys.BATCH // 2
        batch = {name: tf.constant(np.split(v, 2)[place]) for name, v in toys.batch().items()}
        self.gradients = self.trainer.joint_update.gradients(
            batch, tf.constant(0, tf.int64), tf.constant(place * size, tf.int64), logged=True
        )


@pytest.mark.parametrize("mode", ["graph", pytest.param("xla", marks=pytest.mark.whole)])
def test_with_local_batch_norm_two_replicas_are_the_mean_over_their_halves(mirrored, mode):
    halves = [Half(place) for place in range(2)]
    trainer = toys.trainer(mirrored, jit=mode == "xla")
    logs = toys.replicated(trainer, mirrored)(toys.batch())
    for player in trainer.joint_update.players:
        gradients = [
            half.gradients.of_players[player.name] for half in halves
        ]  # of shares: their sum is the mean over halves
        for m, a, b in zip(player.optimizer._momentums, *gradients, strict=True):
            expected = (a + b).numpy() / 2  # (1 - beta_1) g
            np.testing.assert_allclose(m.numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max() + 1e-9)
    for name in halves[0].gradients.logs:
        share = (
            1.0 if name in trainer.loss_names or "gradient_norm" in name else 0.5
        )  # diagnostics are of a replica's batch
        expected = sum(share * float(half.gradients.logs[name]) for half in halves)
        assert logs[name] == pytest.approx(expected, rel=1e-4), name
    own, both = halves[0].trainer.joint_update.populations, trainer.joint_update.populations
    a, b = (list(half.gradients.statistics.values()) for half in halves)
    for (mine, initial), (ours, variable), of_a, of_b in zip(own.items(), both.items(), a, b, strict=True):
        assert mine.split("/")[0] == ours.split("/")[0]
        expected = 0.99 * initial.numpy() + 0.01 * (of_a + of_b).numpy() / 2
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_several_steps_a_call_are_the_same_steps(mirrored):
    ends = []
    for steps in (1, 2):
        trainer = toys.trainer(mirrored, terms=("minimax",), steps_per_execution=steps, log_every=4, steps=4)
        images = np.concatenate([toys.batch(number)["images"] for number in range(4)])
        data = tf.data.Dataset.from_tensor_slices({"images": images}).batch(toys.BATCH // 2, drop_remainder=True)
        shares = mirrored.distribute_datasets_from_function(lambda _, data=data: data)
        history = trainer.fit(shares, steps_per_epoch=4, verbose=0, shuffle=False)
        ends.append((toys.state(trainer), history.history))
    agree(ends[1][0], ends[0][0])
    assert int(ends[1][0]["step"]) == 4
    np.testing.assert_allclose(ends[1][1]["discriminator/data"], ends[0][1]["discriminator/data"], rtol=1e-4)


def test_xla_is_refused_where_batch_norm_is_synchronised_and_auto_falls_back():
    one = distribution.strategy("none")
    with pytest.raises(UsageError, match="--jit=on cannot compile batch_norm=synchronised"):
        distribution.use_xla("on", one, "synchronised")
    assert not distribution.use_xla("auto", one, "synchronised")
    assert distribution.use_xla("on", one, "local") and not distribution.use_xla("off", one, "local")
    assert not distribution.use_xla("auto", one, "frozen")  # no GPU here


def test_a_batch_that_does_not_divide_is_an_error(mirrored):
    def check(size, parts, steps):
        distribution.check(mirrored, {"batch_size": size, "accumulate": parts, "steps_per_execution": steps})

    with pytest.raises(UsageError, match="batch_size to be a multiple of 2, 2 replicas by 1 parts each, given 7"):
        check(7, 1, 1)
    with pytest.raises(UsageError, match="batch_size to be a multiple of 6, 2 replicas by 3 parts each, given 8"):
        check(8, 3, 1)
    with pytest.raises(UsageError, match="batch_size to be a multiple of 8, 2 replicas by 4 parts each, given 12"):
        check(12, 4, 1)
    check(8, 4, 10)

"""Historical averaging by hand."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf
import toys

from tfdfm.objectives.historical_averaging import HistoricalAveraging


def test_the_history_is_the_mean_of_all_weights_so_far():
    trainer = toys.trainer(terms=("nonsaturating", "historical_averaging"))
    term, kernel = trainer.joint_update.objectives["historical_averaging"], trainer.networks["generator"].project.kernel
    seen, step = [kernel.numpy()], toys.stepper(trainer)
    for number in range(3):
        logs = step(toys.batch(number))
        if number == 0:
            assert logs["generator/historical_averaging"] == 0  # the history is the start
        seen.append(kernel.numpy())
        np.testing.assert_allclose(term.means["generator"][0].numpy(), np.mean(seen, axis=0), atol=1e-6)
    assert logs["generator/historical_averaging"] > 0


def test_the_distance_from_the_history_by_hand():
    weights = {"generator": [tf.constant([1.0, 5.0])], "discriminator": [tf.constant([[2.0]])]}
    networks = {
        name: SimpleNamespace(trainable_variables=[SimpleNamespace(value=w, numpy=w.numpy) for w in of])
        for name, of in weights.items()
    }
    term = HistoricalAveraging(weight=0.5)
    term.build(networks)
    term.means["generator"][0].assign([0.0, 2.0])
    forward = SimpleNamespace(networks=networks)
    assert float(term.generator_loss(forward)["historical_averaging"]) == 0.5 * (1 + 9)
    assert float(term.discriminator_loss(forward)["historical_averaging"]) == 0

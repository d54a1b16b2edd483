import keras
import numpy as np
import pytest
import tensorflow as tf
from scenes import recipe

from maskwright.errors import ConfigError
from maskwright.losses import CrossEntropy
from maskwright.training import LearningTask, Scoring, from_logits
from maskwright.training.schedule import Group, make_optimizer
from maskwright.training.steps import MovingAverage, make_train_step


def test_average_looks_back_on_a_share_of_the_steps():
    weight = keras.Variable(np.float32(8.0))
    average = MovingAverage([weight], share=1.0)
    # The newest weighs 1 / (1 + step): all of it, a half, a third: the plain mean.
    for step, value in enumerate([8.0, 2.0, 5.0]):
        weight.assign(value)
        average.update(tf.constant(step, tf.float32))
    average.swap()
    assert float(weight) == pytest.approx((8 + 2 + 5) / 3)
    average.swap()
    assert float(weight) == 5.0


@pytest.mark.parametrize(("name", "kernel_after"), [("adamw", 0.95), ("sgd", 0.95), ("adam", 1)])
def test_decay_spares_biases_and_normalizations(name, kernel_after):
    made = make_optimizer(name, weight_decay=0.5)
    made.learning_rate.assign(0.1)
    kernel, bias = (keras.Variable(np.float32(1.0), name=n) for n in ("kernel", "bias"))
    made.build([kernel, bias])
    made.apply([tf.constant(0.0), tf.constant(0.0)], [kernel, bias])
    # Without a gradient only the decay acts, 1 - 0.5 * 0.1; Adam has none.
    assert (float(kernel), float(bias)) == (pytest.approx(kernel_after), 1.0)


def test_unknown_optimizer_is_refused():
    with pytest.raises(ConfigError, match="adamw, adam, sgd; received 'lion'"):
        make_optimizer("lion")


def test_auxiliary_logits_weigh_in_the_loss():
    images = keras.Input((None, None, 2))
    model = keras.Model(images, [images, keras.layers.Rescaling(2.0)(images)])
    criterion = CrossEntropy()
    task = LearningTask(
        objective=from_logits(criterion, auxiliary_weight=0.5),
        scoring=Scoring(count=lambda labels, _: tf.reduce_sum(labels), shape=(), scores=dict),
        train=lambda *_: None,
        steps=1,
    )
    step = make_train_step(
        tf.distribute.get_strategy(),
        model,
        task,
        recipe(batch_size=1, clip_norm=None),
        [Group(make_optimizer("sgd"), [])],
        MovingAverage([], 0.0),
    )
    logits = tf.constant([[[[1.0, -1.0], [0.5, 2.0]]]])
    labels, weights = tf.constant([[[0, 0]]]), tf.ones((1, 1, 2))
    value = step((logits, labels, weights), tf.constant(0.0), tf.constant(0.0))[0]
    main, more = (float(criterion(labels, x)) for x in (logits, 2 * logits))
    assert float(value) == pytest.approx((main + 0.5 * more) / 1.5)

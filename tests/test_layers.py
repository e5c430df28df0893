"""Prueba `tarea4.layers`: el azar con claves tiene la distribución pedida y, sin claves, todo es lo de Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tarea4 import layers

SHAPE = (1000, 1001)
N = SHAPE[0] * SHAPE[1]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.9])
def test_dropout_with_keys_has_its_rate(rate):
    """Anula la fracción pedida y reescala el resto; iguales claves dan la misma máscara, y otras, una independiente."""
    layer, n = layers.Dropout(rate), 1000 * 1001
    dropped = []
    for keys in ((1, 2), (1, 2), (1, 3), (2, 2)):
        layer.keys = tf.constant(keys, tf.uint32)
        output = layer(tf.ones((1000, 1001)), training=True).numpy()
        np.testing.assert_allclose(output[output != 0], 1 / (1 - rate), rtol=1e-6)
        dropped.append(output == 0)
    np.testing.assert_array_equal(dropped[0], dropped[1])
    # Cinco desviaciones típicas de una proporción en n sorteos: la de una máscara y la de dos independientes, entre
    # claves distintas y entre unidades vecinas.
    pairs = [(dropped[0], dropped[2]), (dropped[0], dropped[3]), (dropped[0][:, 1:], dropped[0][:, :-1])]
    for found, expected in [(dropped[0], rate), *((a & b, rate**2) for a, b in pairs)]:
        assert abs(found.mean() - expected) <= 5 * np.sqrt(expected * (1 - expected) / n)
    np.testing.assert_array_equal(layer(tf.ones((2, 3)), training=False), np.ones((2, 3)))


def test_dropout_without_keys_is_that_of_keras():
    """Sin claves dadas, sortea las suyas como Keras."""
    x = tf.ones((100, 100))
    expected = keras.layers.Dropout(0.3, seed=1)(x, training=True)
    np.testing.assert_array_equal(layers.Dropout(0.3, seed=1)(x, training=True), expected)


def with_keys(layer, keys, x):
    layer.keys = tf.constant(keys, tf.uint32)
    return layer(x, training=True).numpy()


def test_noise_with_keys_is_normal():
    """Suma una normal de media 0 y la desviación pedida; con otras claves o en unidades vecinas, es independiente."""
    layer, x = layers.GaussianNoise(0.3), tf.fill(SHAPE, 2.0)
    first, again, *others = (with_keys(layer, keys, x) for keys in ((1, 2), (1, 2), (1, 3), (2, 2)))
    np.testing.assert_array_equal(first, again)
    first, others = (first - 2) / 0.3, [(noise - 2) / 0.3 for noise in others]
    # Cinco errores típicos de una media, de una desviación y de una correlación nula en N sorteos normales.
    for noise in (first, *others):
        assert abs(noise.mean()) < 5 / np.sqrt(N)
        assert abs(noise.std() - 1) < 5 / np.sqrt(2 * N)
    neighbours = (first[:, 1:], first[:, :-1]), (first[1:], first[:-1])
    for a, b in (*((first, other) for other in others), *neighbours):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(N)
    for z in (1.0, 2.0, 3.0):  # también las colas: cinco errores típicos de una proporción
        tail = stats.norm.sf(z)
        assert abs((first > z).mean() - tail) < 5 * np.sqrt(tail / N)
        assert abs((first < -z).mean() - tail) < 5 * np.sqrt(tail / N)


def test_noise_is_the_same_compiled():
    """Compilada con XLA, como al entrenar, la capa da los mismos números."""
    layer, x = layers.GaussianNoise(0.3), tf.zeros((64, 40))
    eager = with_keys(layer, (5, 6), x)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)(x)
    # XLA y TensorFlow aproximan la misma función, cada uno con su polinomio en float32.
    np.testing.assert_allclose(compiled, eager, atol=1e-5)


@pytest.mark.parametrize(("bits", "uniform"), [(0, 2.0**-24), (2**32 - 1, 1 - 2.0**-24)])
def test_extreme_draws_are_finite(monkeypatch, bits, uniform):
    """El menor y el mayor sorteo posibles no llegan a 0 ni a 1, y su normal es finita: la del cuantil que les toca."""
    monkeypatch.setattr(layers, "_mix", lambda position: tf.fill(position.shape, tf.constant(bits, tf.uint32)))
    layer = layers.GaussianNoise(1.0)
    noise = with_keys(layer, (1, 2), tf.zeros((2, 3)))
    np.testing.assert_array_equal(layer.uniform((2, 3)), np.full((2, 3), uniform))
    # Ahí la derivada del cuantil es 1 / densidad, 1e6: un redondeo de 2**-25 mueve el resultado 0.03.
    np.testing.assert_allclose(noise, stats.norm.ppf(uniform), atol=0.03)


def test_draws_are_uniform():
    """Los sorteos están estrictamente entre 0 y 1 y caen por igual en cien intervalos."""
    layer = layers.Dropout(0.5)
    layer.keys = tf.constant((7, 8), tf.uint32)
    drawn = layer.uniform(SHAPE).numpy()
    assert 0 < drawn.min() < drawn.max() < 1
    counts = np.histogram(drawn, bins=100, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > 1e-6  # con un generador bueno falla una clave de cada millón


def test_noise_without_keys_is_that_of_keras():
    """Sin claves dadas, sortea las suyas como Keras; al predecir no hace nada."""
    x = tf.ones((100, 100))
    expected = keras.layers.GaussianNoise(0.3, seed=1)(x, training=True)
    layer = layers.GaussianNoise(0.3, seed=1)
    np.testing.assert_array_equal(layer(x, training=True), expected)
    np.testing.assert_array_equal(layer(x, training=False), x)


def test_penalty_equals_that_of_keras():
    """La penalización es la de `L1L2` de Keras, que divide entre el tamaño del lote."""
    x = tf.constant(np.random.default_rng(0).normal(size=(16, 5)).astype("float32"))
    dense = [
        keras.layers.Dense(3, kernel_initializer="ones", activity_regularizer=regularizer)
        for regularizer in (layers.ActivityPenalty(0.3, 0.7), keras.regularizers.L1L2(0.3, 0.7))
    ]
    outputs = [layer(x) for layer in dense]
    # Mismas operaciones en distinto orden: solo redondeo de float32.
    np.testing.assert_allclose(dense[0].losses[0], dense[1].losses[0], rtol=1e-5)
    by_hand = (0.3 * np.abs(outputs[0]).sum() + 0.7 * np.square(outputs[0]).sum()) / 16
    np.testing.assert_allclose(dense[0].losses[0], by_hand, rtol=1e-5)

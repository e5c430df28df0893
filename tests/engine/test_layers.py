"""Prueba `tarea4.engine.layers`: el azar con claves tiene la distribución pedida, y lo demás es lo de Keras."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tarea4.engine import layers

SHAPE = (1000, 1001)
N = SHAPE[0] * SHAPE[1]


@pytest.mark.parametrize("units", [5, layers.NARROW + 1])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense_in_xla_is_that_of_keras(units, use_bias):
    """Compilada, estrecha o ancha, la capa da las salidas y los gradientes que sin compilar, que son los de Keras."""
    x = tf.random.stateless_normal((16, 30), (1, 2))
    ours, theirs = (kind.Dense(units, activation="relu", use_bias=use_bias) for kind in (layers, keras.layers))
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.set_weights(theirs.get_weights())

    def run(layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(outputs**2)
        return [outputs, *tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])]

    compiled = tf.function(lambda: run(ours), jit_compile=True)()
    for a, b in zip(compiled, run(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)  # el orden de las sumas, en float32


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
    # XLA puede juntar un producto y una suma en una operación, que redondea una vez.
    np.testing.assert_allclose(compiled, eager, atol=1e-6)


def test_noise_follows_the_normal_distribution(monkeypatch):
    """Con cada suma posible de cuatro bytes y su probabilidad exacta, la distribución es la que dice la docstring."""
    totals = np.arange(4 * 255 + 1)
    bytes_ = [np.clip(totals - 255 * i, 0, 255) for i in range(4)]
    bits = sum(byte.astype("uint32") << 8 * i for i, byte in enumerate(bytes_))
    monkeypatch.setattr(layers.GaussianNoise, "bits", lambda self, shape: tf.constant(bits.reshape(shape)))
    values = with_keys(layers.GaussianNoise(1.0), (1, 2), tf.zeros((len(totals),)))
    probability = functools.reduce(np.convolve, [np.full(256, 1 / 256)] * 4)
    assert (np.diff(values) > 0).all()
    middle = probability.cumsum() - probability / 2
    assert np.abs(middle - stats.norm.cdf(values)).max() < 0.001
    assert probability @ values == pytest.approx(0, abs=1e-6)  # redondeo de float32
    assert probability @ values**2 == pytest.approx(1, abs=1e-4)
    assert probability @ values**4 == pytest.approx(3, abs=0.01)


def test_bits_are_uniform():
    """Los cuatro bytes de los enteros toman por igual sus 256 valores, y ninguno depende de otro."""
    layer = layers.Dropout(0.5)
    layer.keys = tf.constant((7, 8), tf.uint32)
    drawn = layer.bits(SHAPE).numpy().ravel()
    split = [drawn >> 8 * i & 0xFF for i in range(4)]
    pairs = [a // 16 * 16 + b // 16 for a, b in itertools.combinations(split, 2)]
    for values in (*split, *pairs):
        # Con un generador bueno falla una prueba de cada millón.
        assert stats.chisquare(np.bincount(values, minlength=256)).pvalue > 1e-6


def test_nothing_is_drawn_when_predicting():
    """Al predecir, ni dropout ni ruido tocan la entrada, tampoco sin claves."""
    x = tf.ones((4, 3))
    for layer in (layers.Dropout(0.5), layers.GaussianNoise(0.5)):
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


def network():
    """Una red con todo lo que el motor sustituye, y una penalización de pesos que no toca."""
    kit, penalty = keras.layers, keras.regularizers
    hidden = [kit.Dropout(0.3, name="d"), kit.Dense(5, kernel_regularizer=penalty.L1L2(0.1, 0.2), name="a")]
    hidden += [kit.GaussianNoise(0.4, name="n"), kit.BatchNormalization(name="b")]
    hidden += [kit.Dense(4, activity_regularizer=penalty.L1(0.5), name="c"), kit.Dense(3, name="o")]
    model = keras.Sequential([keras.Input((7,), name="i"), *hidden], name="s")
    model.compile(keras.optimizers.Adam(0.01, name="adam"), "mse", metrics=["accuracy"])
    return model


def test_the_engines_copy_is_the_same_network():
    """La copia cambia solo las clases que debe y lo que será argumento; nombres y compilación son los mismos."""
    model = network()
    copy = layers.build(layers.template(model))
    kinds = [type(layer) for layer in copy.layers]
    assert kinds == [
        layers.Dropout, layers.Dense, layers.GaussianNoise, keras.layers.BatchNormalization, layers.Dense, layers.Dense,
    ]  # fmt: skip
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert copy.layers[1].kernel_regularizer.get_config() == model.layers[1].kernel_regularizer.get_config()
    assert [copy.layers[0].rate, copy.layers[2].stddev, layers.penalties(copy)[0].get_config()["l1"]] == [0, 0, 0]
    assert copy.optimizer.get_config() == model.optimizer.get_config()
    assert copy.loss == "mse"


def test_networks_share_a_function_only_if_arguments_tell_them_apart():
    """Tasas y alfas no cambian el texto que comparten; capas, penalizaciones de pesos u optimizador, sí."""
    texts = [layers.template(network())]
    changes = [
        lambda m: setattr(m.layers[0], "rate", 0.1), lambda m: setattr(m.layers[2], "stddev", 0.1),
        lambda m: setattr(m.layers[4].activity_regularizer, "l1", 0.1),
        lambda m: setattr(m.layers[1].kernel_regularizer, "l2", 0.1),
        lambda m: setattr(m.layers[1], "activation", keras.activations.relu),
        lambda m: setattr(m.optimizer, "learning_rate", 0.02),
    ]  # fmt: skip
    for change in changes:
        model = network()
        change(model)
        texts.append(layers.template(model))
    assert [text == texts[0] for text in texts] == [True, True, True, True, False, False, False]


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.AlphaDropout(0.2), keras.layers.GaussianDropout(0.2),
        keras.layers.Dropout(0.2, noise_shape=(1, 4)), keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.2)]),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_other_random_layers_are_refused_by_name(layer):
    """Una capa de azar que el motor no sabe sortear se rechaza con una frase que la nombra."""
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(2)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=f"model: la capa {layer.name}, de tipo {type(layer).__name__}"):
        layers.check(model)


def test_averaged_weights_are_refused():
    """`fit` termina poniendo los pesos promediados; aquí no, y se dice."""
    model = network()
    layers.check(model)
    model.compile(keras.optimizers.Adam(use_ema=True), "mse")
    with pytest.raises(ValueError, match="use_ema=True"):
        layers.check(model)

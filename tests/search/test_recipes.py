"""Prueba `tarea4.search.recipes`: la red de una receta es la pedida, cabe en su presupuesto y se entrena como dice."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tarea4.engine.layers import template
from tarea4.search.recipes import Classifier, Recipe, affine, layer_sizes, widest


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


@settings(max_examples=15, deadline=None)
@given(
    ratios=st.lists(st.floats(0.1, 3), max_size=4).map(lambda others: [1.0, *others]),
    budget=st.integers(2_000, 60_000),
    side=st.integers(1, 28),
    n_classes=st.integers(2, 12),
)
def test_widest_fills_the_budget(small, ratios, budget, side, n_classes):
    """La red construida con el ancho de `widest` cabe en el presupuesto; con una unidad más de base, ya no."""
    data = dataclasses.replace(small, image_shape=(side, side), n_classes=n_classes)
    width = widest(ratios, budget, input_size=data.input_size, n_classes=n_classes)
    fits, exceeds = (Recipe([max(1, round(w * ratio)) for ratio in ratios]) for w in (width, width + 1))
    assert layer_sizes(width, ratios) == fits.hidden_sizes
    assert fits.build(data).count_params() <= budget < exceeds.build(data).count_params()


def test_full_recipe_has_its_layers(small):
    """Con todo puesto, cada capa está en su sitio y con su número; la penalización, en la última oculta."""
    rates = {"dropout": 0.1, "dropout_hidden": 0.2, "noise": 0.3, "noise_hidden": 0.4}
    recipe = Recipe((8, 6), "gelu", **rates, alpha_l1=0.5, alpha_l2=0.6, label_smoothing=0.7, epsilon=0.8)
    model = recipe.build(small)
    hidden = ["Dense", "BatchNormalization", "GaussianNoise", "Activation", "Dropout"]
    assert kinds(model) == ["Dropout", "GaussianNoise", *hidden, *hidden, "Dense"]
    assert [layer.rate for layer in model.layers if "Dropout" in type(layer).__name__] == [0.1, 0.2, 0.2]
    assert [layer.stddev for layer in model.layers if "Noise" in type(layer).__name__] == [0.3, 0.4, 0.4]
    activations = [layer for layer in model.layers if type(layer).__name__ == "Activation"]
    assert [layer.activation for layer in activations] == [keras.activations.gelu] * 2
    assert activations[0].activity_regularizer is None
    assert activations[1].activity_regularizer.get_config() == {"l1": 0.5, "l2": 0.6}
    # Cada capa oculta: pesos sin sesgo y los cuatro números por unidad de la normalización.
    assert model.count_params() == (784 + 4) * 8 + (8 + 4) * 6 + (6 + 1) * 10
    assert model.layers[-1].activation is keras.activations.softmax
    assert type(model) is Classifier
    assert (model.label_smoothing, model.epsilon) == (0.7, 0.8)


@pytest.mark.parametrize("options", [{}, {"schedule": "coseno"}, {"epsilon": 0.1}])
def test_equal_recipes_are_compiled_once(options, small):
    """Dos redes de la misma receta, y dos de otras tasas, son para el motor la misma red, que no compila dos veces."""
    first, same, other = (Recipe((8,), **options, noise=noise).build(small) for noise in (0.1, 0.1, 0.2))
    assert template(first) == template(same) == template(other)


def test_bare_recipe_has_nothing_else(small):
    """Sin opciones ni normalización quedan Dense con sesgo y activaciones; la tasa no cambia."""
    model = Recipe((8, 6), batch_norm=False, learning_rate=0.02, weight_decay=0.03).build(small)
    assert type(model) is keras.Sequential
    assert kinds(model) == ["Dense", "Activation", "Dense", "Activation", "Dense"]
    assert model.count_params() == (784 + 1) * 8 + (8 + 1) * 6 + (6 + 1) * 10
    assert learning_rates(model, 3) == pytest.approx([0.02] * 3)
    assert model.optimizer.weight_decay == 0.03


def learning_rates(model, steps):
    rates = []
    for step in range(steps):
        model.optimizer.iterations.assign(step)
        rates.append(float(model.optimizer.learning_rate))
    return rates


@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_cosine_warms_up_one_epoch_and_ends_at_zero(small, epochs):
    """La tasa sube en línea recta durante la primera época y baja en coseno hasta 0 en la última."""
    recipe = Recipe((4,), schedule="coseno", learning_rate=0.01, batch_size=128, epochs=epochs)
    n = 16  # lotes de 128 en 2 000 imágenes
    rates = np.array(learning_rates(recipe.build(small), n * epochs + 1))
    decay = 0.005 * (1 + np.cos(np.pi * np.arange(n * (epochs - 1) + 1) / max(1, n * (epochs - 1))))
    # Redondeo de float32 en pasos y cosenos.
    np.testing.assert_allclose(rates, [*(0.01 * np.arange(n) / n), *decay], atol=1e-8)


BASE = Recipe((8, 6), epochs=1, batch_size=64, learning_rate=1e-2)
CHANGES = {
    "hidden_sizes": (6, 8), "activation": "tanh", "batch_norm": False, "dropout": 0.2, "dropout_hidden": 0.2,
    "noise": 0.2, "noise_hidden": 0.2, "alpha_l1": 1e-2, "alpha_l2": 1e-2, "learning_rate": 2e-2, "weight_decay": 0.5,
    "schedule": "coseno", "batch_size": 32, "epochs": 2, "label_smoothing": 0.2, "epsilon": 0.1, "augment": True,
}  # fmt: skip


def losses(recipe, data):
    """La pérdida de validación de cada época con `fit`, sin compilar: son dos pasos, y compilarlos tarda más."""
    keras.utils.set_random_seed(4)
    training, x, y = recipe.training(data), data.x_train, keras.utils.to_categorical(data.y_train, 10)
    x = training.augment(tf.constant(x), np.random.default_rng(0)) if training.augment else x
    training.model.run_eagerly = True
    val = data.x_val, keras.utils.to_categorical(data.y_val, 10)
    options = {"batch_size": training.batch_size, "epochs": training.epochs, "shuffle": False, "verbose": 0}
    return tuple(training.model.fit(x, y, validation_data=val, **options).history["val_loss"])


def test_every_field_changes_what_is_trained(small):
    """Cambiar un solo campo cambia la curva de validación; `pool`, que es de las imágenes, no: lo aplica «Más allá»."""
    cut = {"x_train": small.x_train[:128], "y_train": small.y_train[:128]}
    data = dataclasses.replace(small, **cut, x_val=small.x_val[:64], y_val=small.y_val[:64])
    curves = {name: losses(dataclasses.replace(BASE, **{name: value}), data) for name, value in CHANGES.items()}
    curves["base"] = losses(BASE, data)
    assert len(set(curves.values())) == 1 + len(CHANGES)
    assert {name: len(curve) for name, curve in curves.items() if len(curve) != 1} == {"epochs": 2}
    assert {field.name for field in dataclasses.fields(Recipe)} - CHANGES.keys() == {"pool"}
    assert losses(dataclasses.replace(BASE, pool=True), data) == curves["base"]


def classifier(layers, **options):
    """Una red con SGD de paso 1: lo que baja cada peso es su gradiente."""
    keras.utils.set_random_seed(0)
    model = Classifier([keras.Input((784,)), *layers()], **options)
    return compiled(model)


def compiled(model, loss="categorical_crossentropy"):
    model.compile(keras.optimizers.SGD(1.0), loss=loss, metrics=["accuracy"])
    return model


def softmax_only():
    return [keras.layers.Dense(10, activation="softmax")]


def with_batch_norm():
    return [
        keras.layers.Dense(12, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.Activation("relu"),
        *softmax_only(),
    ]


@pytest.fixture(scope="module")
def batch(small):
    """Un lote de 64 imágenes y sus etiquetas."""
    return small.x_train[:64], keras.utils.to_categorical(small.y_train[:64], 10)


def step(model, batch):
    """Un solo paso de `fit`: los pesos de antes y los de después, y lo que dijo."""
    before = model.get_weights()
    history = model.fit(*batch, batch_size=64, epochs=1, shuffle=False, verbose=0).history
    return before, model.get_weights(), {name: values[0] for name, values in history.items()}


def test_classifier_keeps_its_options(tmp_path, batch):
    """Guardada y leída, como copia o como archivo, la red conserva pesos, suavizado y perturbación."""
    model = classifier(with_batch_norm, epsilon=0.1, label_smoothing=0.2)
    model.save(tmp_path / "red.keras")
    loaded = keras.saving.load_model(tmp_path / "red.keras")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    for other in (loaded, copy):
        assert type(other) is Classifier
        assert (other.epsilon, other.label_smoothing) == (0.1, 0.2)
        assert kinds(other) == kinds(model)
    np.testing.assert_array_equal(loaded(batch[0]), model(batch[0]))


def test_label_smoothing_is_that_of_keras(batch):
    """Un paso con etiquetas suavizadas es el de la entropía cruzada suavizada de Keras."""
    ours = classifier(with_batch_norm, label_smoothing=0.1)
    theirs = classifier(with_batch_norm)
    compiled(theirs, keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    plain = classifier(with_batch_norm)
    _, expected, said = step(theirs, batch)
    _, found, logs = step(ours, batch)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)  # las mismas cuentas en otro orden, en float32
    assert logs == pytest.approx(said, rel=1e-5)
    assert not np.allclose(found[0], step(plain, batch)[1][0], atol=1e-4)


def test_adversarial_gradient_is_the_mean_of_both(batch):
    """En una capa softmax, el paso con FGSM es el que sale a mano: la media del gradiente limpio y del perturbado."""
    model = classifier(softmax_only, epsilon=0.1)
    (w, b), (new_w, new_b), logs = step(model, batch)
    x, y = batch

    def gradients(x):
        logits = x @ w + b
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        error = (p - y) / len(x)
        return x.T @ error, error.sum(axis=0), error @ w.T, -np.log((p * y).sum(axis=1)).mean()

    clean = gradients(x)
    perturbed = gradients(np.clip(x + 0.1 * np.sign(clean[2]), 0, 1))
    # Redondeo de float32; la diferencia entre los dos gradientes es cien veces mayor.
    np.testing.assert_allclose(w - new_w, (clean[0] + perturbed[0]) / 2, atol=1e-5)
    np.testing.assert_allclose(b - new_b, (clean[1] + perturbed[1]) / 2, atol=1e-5)
    assert np.abs(clean[0] - perturbed[0]).max() > 1e-3
    assert perturbed[3] > clean[3]
    assert logs["loss"] == pytest.approx(clean[3], rel=1e-5)


def test_batch_statistics_come_from_clean_images(batch):
    """Con FGSM las estadísticas de la normalización se mueven como sin él, y los pesos no."""
    (_, clean, _), (_, adversarial, _) = (
        step(classifier(with_batch_norm, epsilon=epsilon), batch) for epsilon in (0.0, 0.1)
    )
    names = [variable.name for variable in classifier(with_batch_norm).variables]
    for name, a, b in zip(names, clean, adversarial, strict=True):
        if name.startswith("moving"):
            np.testing.assert_allclose(a, b, rtol=1e-6)  # las mismas cuentas, compiladas en otra función
        else:
            assert not np.allclose(a, b, atol=1e-4)
    assert sum(name.startswith("moving") for name in names) == 2


class Fixed:
    """Un generador que da siempre los seis números pedidos: giro, inclinación, dos escalas y dos desplazamientos."""

    def __init__(self, *drawn):
        self.drawn = drawn

    def uniform(self, low, high, shape):
        return np.repeat(np.array(self.drawn, float)[:, None], shape[1], axis=1)


def test_affine_keeps_shape_and_range(small):
    """Las imágenes movidas tienen la misma forma, siguen entre 0 y 1 y casi la misma tinta; cada una, a su manera."""
    x = tf.constant(np.tile(small.x_train[0], (50, 1)))
    moved = affine(x, np.random.default_rng(0), (28, 28)).numpy()
    assert moved.shape == x.shape
    assert moved.dtype == np.float32
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert len(np.unique(moved, axis=0)) == 50
    # La escala llega al 12 % en cada eje: la tinta, a 1.12 ** 2 = 1.25, y algo se sale del borde.
    np.testing.assert_allclose(moved.sum(axis=1) / small.x_train[0].sum(), 1, atol=0.35)
    again, other = (affine(x, np.random.default_rng(seed), (28, 28)).numpy() for seed in (0, 1))
    np.testing.assert_array_equal(moved, again)
    assert not np.array_equal(moved, other)


@pytest.mark.parametrize(
    "drawn", [(0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 1, -0.5), (1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0), (-1, 0.5, 1, -1, 1, 1)]
)
def test_affine_samples_where_it_says(drawn):
    """Cada píxel toma el valor de su sitio girado, inclinado y escalado alrededor del centro, y movido dos píxeles.

    De una imagen que vale la columna (o la fila) de cada píxel salen las coordenadas de las que tomó el valor.
    """
    height, width = 20, 30
    rows, columns = np.mgrid[:height, :width].astype("float32")
    turn, shear, zoom_x, zoom_y, dx, dy = drawn
    angle = np.deg2rad(12 * turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turned @ [[1, 0.15 * shear], [0, 1]] @ np.diag([1 + 0.12 * zoom_x, 1 + 0.12 * zoom_y])
    centre, moved = (np.reshape(pair, (2, 1, 1)) for pair in (((width - 1) / 2, (height - 1) / 2), (2 * dx, 2 * dy)))
    wanted = np.tensordot(matrix, np.stack([columns, rows]) - centre, 1) + centre + moved
    inside = np.all((wanted >= 0) & (wanted <= 2 * centre), axis=0)
    assert inside.mean() > 0.6
    for coordinate, ramp in zip(wanted, (columns, rows), strict=True):
        moved = np.reshape(affine(tf.constant(ramp.reshape(1, -1)), Fixed(*drawn), (height, width)), (height, width))
        np.testing.assert_allclose(moved[inside], coordinate[inside], atol=2e-3)  # float32 en coordenadas de hasta 30

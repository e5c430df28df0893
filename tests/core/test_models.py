"""Prueba `tarea4.models`: las redes de 2020, capa por capa."""

import keras
import numpy as np
import pytest

from tarea4 import models


@pytest.mark.parametrize(
    ("builder", "layers", "total"),
    [
        (models.try_01, [31_400, 2_050, 765, 160], 34_375),
        (models.try_02, [0, 31_400, 160, 0, 2_050, 765, 240, 160], 34_775),
        (models.printed_variant, [0, 31_400, 160, 0, 2_050, 765, 160], 34_535),
        (models.q4_answer, [0, 19_625, 100, 0, 1_170, 1_150, 260], 22_305),
    ],
)
def test_originals_have_their_parameters(builder, layers, total):
    """Cada red de 2020 tiene, capa por capa, los parámetros que le tocan."""
    model = builder()
    assert [layer.count_params() for layer in model.layers] == layers
    assert model.count_params() == total
    smaller = builder(input_size=20, n_classes=3)
    assert (smaller.input_shape, smaller.output_shape) == ((None, 20), (None, 3))


@pytest.mark.parametrize(
    ("builder", "rate", "penalties"),
    [
        (models.try_02, 0.2, [(0, 0), (0, 0), (70e-15, 0), (0, 3e-15)]),
        (models.printed_variant, 0.2, [(0, 0), (0, 0), (70e-15, 0)]),
        (models.q4_answer, 0.1, [(0, 0), (0, 0), (3e-15, 0)]),
        (models.regularised, 0.2, [(0, 0), (0, 0), (0, 0)]),
        (lambda: models.regularised((4, 5, 6), alpha_l1=0.1, alpha_l2=0.3), 0.2, [(0, 0), (0, 0), (0.1, 0.3)]),
        (
            lambda: models.regularised((4, 1, 6), dropout=0.0, alpha_l1=0.1, alpha_l2=0.3, l1_layer=-3, l2_layer=1),
            0.0,
            [(0.1, 0), (0, 0.3), (0, 0)],
        ),
    ],
)
def test_every_alpha_is_in_its_layer(builder, rate, penalties):
    """Cada red lleva su tasa, y cada alfa la capa que se dice, de la primera a la última, también las dos en una."""
    model = builder()
    assert model.get_layer("dropout").rate == rate
    hidden = [layer for layer in model.layers if layer.name.startswith("dense")]
    found = [layer.activity_regularizer for layer in hidden]
    assert [(each.l1, each.l2) if each else (0, 0) for each in found] == penalties


def test_equal_networks_have_equal_names():
    """Los nombres no dependen de lo construido antes: de ellos vive la función compilada que dos redes comparten."""
    hidden = ["dropout", "dense", "batch_normalization", "activation", "dense_1", "dense_2"]
    for _ in range(2):
        assert [layer.name for layer in models.printed_variant().layers] == [*hidden, "output"]
        model = models.plain((5, 4))
        assert [layer.name for layer in model.layers] == ["dense", "dense_1", "output"]
        assert (model.name, model.inputs[0].name, model.optimizer.name) == ("sequential", "input", "adam")


@pytest.mark.parametrize(("output", "loss"), models.OUTPUT_LOSSES.items())
def test_every_output_is_compiled_with_its_loss(output, loss):
    """Las capas ocultas son relu, la salida la pedida, y se compilan con Adam, su pérdida y la exactitud."""
    assert models.OUTPUT_LOSSES == {
        "softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy", "linear": "mean_squared_error"
    }  # fmt: skip
    model = models.plain((5, 4), output=output)
    assert [layer.activation.__name__ for layer in model.layers] == ["relu", "relu", output]
    assert type(model.optimizer) is keras.optimizers.Adam
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    compiled = model.get_compile_config()
    assert (compiled["loss"], compiled["metrics"]) == (loss, ["accuracy"])


def test_printed_variant_splits_as_in_2020():
    """El resumen impreso en 2020 separa 34 455 parámetros entrenables y 80 que no lo son."""
    model = models.printed_variant()
    assert sum(np.prod(w.shape) for w in model.trainable_weights) == 34_455
    assert sum(np.prod(w.shape) for w in model.non_trainable_weights) == 80


def test_try_02_keeps_the_order_of_its_code():
    """«Try 02» lleva dropout 0.20, relu dos veces, l1 en la penúltima capa oculta y l2 en la última."""
    model = models.try_02()
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Dropout", "Dense", "BatchNormalization", "Activation", "Dense", "Dense", "Dense", "Dense"]
    assert model.layers[0].rate == 0.2
    assert model.layers[1].activation is keras.activations.relu
    assert model.layers[3].activation is keras.activations.relu
    penalties = [layer.activity_regularizer.get_config() for layer in model.layers[5:7]]
    assert penalties == [{"l1": 70e-15, "l2": 0.0}, {"l1": 0.0, "l2": 3e-15}]


@pytest.mark.parametrize("hidden_sizes", [(), (0,), (-3, 5), (2.5,), ("40",), (True, 3)])
def test_sizes_must_be_positive_integers(hidden_sizes):
    """Los tamaños de capa son enteros positivos, y hay al menos uno."""
    for builder in (models.plain, models.regularised):
        with pytest.raises(ValueError, match=r"^hidden_sizes: se recibió"):
            builder(hidden_sizes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", float("nan")),
        ("alpha_l1", -1e-9),
        ("alpha_l2", float("inf")),
        ("l1_layer", 3),
        ("l2_layer", -4),
    ],
)
def test_invalid_arguments_are_named(name, value):
    """Una tasa, un factor o un índice fuera de su intervalo se nombra."""
    with pytest.raises(ValueError, match=f"^{name}: se recibió {value}"):
        models.regularised((4, 4, 4), **{name: value})


def test_unknown_output_is_named():
    """Una activación de salida sin pérdida propia se rechaza."""
    with pytest.raises(ValueError, match=r"^output: se recibió 'tanh' y se admite una de softmax, sigmoid, linear\.$"):
        models.plain(output="tanh")

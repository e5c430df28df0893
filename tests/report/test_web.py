"""El JSON de la página «Prueba el modelo»: los mismos pesos, en menos sitio."""

import base64
import json

import keras
import numpy as np
import pytest
from scipy import special

from tarea4.models import plain, regularised
from tarea4.report.web import web_model
from tarea4.search.recipes import Recipe
from tarea4.training import Run

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "tanh": np.tanh,
}


def unpack(text):
    """Los float32 de un texto empaquetado."""
    high = np.frombuffer(base64.b64decode(text), "u1").reshape(-1, 3)
    return np.pad(high, ((0, 0), (1, 0))).copy().view("<f4").ravel()


def forward(layers, x):
    """Probabilidades (n, k) que dan las capas exportadas."""
    for layer in layers:
        if "kernel" in layer:
            bias = unpack(layer["bias"])
            x = x @ unpack(layer["kernel"]).reshape(-1, len(bias)) + bias
        if "scale" in layer:
            x = x * unpack(layer["scale"]) + unpack(layer["shift"])
        if layer.get("activation") in ACTIVATIONS:
            x = ACTIVATIONS[layer["activation"]](x)
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def with_numbers(network, seed):
    """La red con sesgos y estadísticas de normalización que no son los iniciales, como si se hubiera entrenado."""
    rng = np.random.default_rng(seed)
    for variable in network.weights:
        low, high = (0.5, 2.0) if variable.name in ("gamma", "moving_variance") else (-0.5, 0.5)
        scale = np.sqrt(6 / sum(variable.shape)) if len(variable.shape) == 2 else 1
        variable.assign(scale * rng.uniform(low, high, variable.shape))
    return Run(network, seed, {}, 0.0)


@pytest.fixture(scope="module")
def runs():
    """Una red de cada familia."""
    networks = {"simple": plain((12, 8)), "regularizado": regularised((12, 8), dropout=0.1, alpha_l1=1e-4)}
    return {name: with_numbers(network, seed) for seed, (name, network) in enumerate(networks.items())}


def test_same_probabilities_as_keras(runs, small):
    """Las probabilidades de las capas exportadas son las de Keras."""
    exported = json.loads(web_model(runs, small))["networks"]
    for network, run in zip(exported, runs.values(), strict=True):
        expected = np.asarray(run.model(small.x_test))
        # cada peso lleva un error relativo de 2**-17, unas 1e-5
        assert np.abs(forward(network["layers"], small.x_test) - expected).max() < 1e-4
        assert network["accuracy"] == np.mean(expected.argmax(axis=1) == small.y_test)
        assert network["parameters"] == run.model.count_params()


@pytest.mark.parametrize("activation", ["gelu", "silu", "tanh"])
def test_a_recipe_is_exported_as_it_reads(activation, small):
    """Una receta, con ruido, sin sesgos donde normaliza y con su activación, da lo mismo que en Keras."""
    recipe = Recipe((12, 8), activation, noise=0.2, noise_hidden=0.1, dropout_hidden=0.1)
    run = with_numbers(recipe.build(small), 2)
    (exported,) = json.loads(web_model({"receta": run}, small))["networks"]
    expected = np.asarray(run.model(small.x_test))
    assert np.abs(forward(exported["layers"], small.x_test) - expected).max() < 1e-4


def test_examples_are_test_images(runs, small):
    """Los ejemplos son las primeras imágenes de prueba de cada clase, con su etiqueta y sin pérdida."""
    examples = json.loads(web_model(runs, small, examples=2, disputed=0))["examples"]
    assert examples["labels"] == [label for label in range(10) for _ in range(2)]
    pixels = np.frombuffer(base64.b64decode(examples["pixels"]), "uint8").reshape(20, 28 * 28)
    first_seven = small.x_test[np.flatnonzero(small.y_test == 7)[0]]
    np.testing.assert_array_equal(pixels[14], np.rint(255 * first_seven))


def test_examples_end_with_what_the_networks_dispute(runs, small):
    """Tras las de cada clase van imágenes, y solo ellas, que las redes no leen igual; aquí, muy pocas."""
    other = keras.models.clone_model(runs["simple"].model)
    kernel, bias = runs["simple"].model.layers[-1].get_weights()
    other.set_weights([*runs["simple"].model.get_weights()[:-2], kernel, bias + np.eye(10)[3] / 100])
    runs = {"simple": runs["simple"], "otra": Run(other, 0, {}, 0.0)}
    examples = json.loads(web_model(runs, small, examples=1, disputed=4))["examples"]
    read = np.array([np.asarray(run.model(small.x_test)).argmax(axis=1) for run in runs.values()])
    assert 4 < (read[0] != read[1]).sum() < 100
    pixels = np.frombuffer(base64.b64decode(examples["pixels"]), "uint8").reshape(-1, 28 * 28)[10:]
    where = [np.flatnonzero((np.rint(255 * small.x_test) == image).all(axis=1))[0] for image in pixels]
    assert len(where) == 4
    assert all(len(set(read[:, i])) > 1 for i in where)
    assert examples["labels"][10:] == small.y_test[where].tolist()


def test_two_networks_of_2020_fit_in_320_kb(small):
    """Las dos redes más grandes de 2020 caben, con los ejemplos, en 320 kB."""
    networks = {"simple": plain(), "regularizado": regularised((40, 50, 15, 15))}
    runs = {name: Run(network, 0, {}, 0.0) for name, network in networks.items()}
    assert len(web_model(runs, small)) <= 320_000


def test_unknown_layer_is_refused(small):
    """Una capa que la página no sabe calcular se rechaza por su nombre."""
    network = keras.Sequential([keras.Input((784,)), keras.layers.LayerNormalization(name="otra"), *plain().layers])
    with pytest.raises(ValueError, match="la capa otra es de tipo LayerNormalization"):
        web_model({"simple": Run(network, 0, {}, 0.0)}, small)

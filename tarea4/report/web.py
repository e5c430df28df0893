"""Lleva redes ya entrenadas a un texto JSON que la página «Prueba el modelo» lee sin Keras."""

import base64
import json

import keras
import numpy as np

from tarea4.data import Dataset
from tarea4.evaluation import predict
from tarea4.training import Run

ONLY_WHILE_TRAINING = (keras.layers.Dropout, keras.layers.GaussianNoise)  # al leer no hacen nada


def web_model(runs: dict[str, Run], data: Dataset, *, examples: int = 3, disputed: int = 10) -> str:
    """Las redes por nombre, `examples` imágenes de prueba por clase y `disputed` que no todas leen igual.

    Una capa desconocida es un ValueError.
    """
    first = [np.flatnonzero(data.y_test == label)[:examples] for label in range(data.n_classes)]
    read = np.array([predict(run.model, data.x_test).argmax(axis=1) for run in runs.values()])
    accuracies = (read == data.y_test).mean(axis=1).tolist()
    unlike = np.setdiff1d(np.flatnonzero((read != read[0]).any(axis=0)), np.concatenate(first))
    chosen = np.concatenate([*first, unlike[:disputed]])
    pixels = base64.b64encode(np.rint(255 * data.x_test[chosen]).astype("uint8").tobytes()).decode()
    networks = []
    for (name, run), accuracy in zip(runs.items(), accuracies, strict=True):
        layers = [_layer(layer) for layer in run.model.layers if not isinstance(layer, ONLY_WHILE_TRAINING)]
        networks.append({"name": name, "layers": layers, "parameters": run.model.count_params(), "accuracy": accuracy})
    shown = {"labels": data.y_test[chosen].tolist(), "pixels": pixels}
    return json.dumps({"networks": networks, "examples": shown})


def _layer(layer: keras.layers.Layer) -> dict[str, str]:
    match layer:
        case keras.layers.Dense():
            kernel, *bias = layer.get_weights()
            bias = bias[0] if bias else np.zeros(layer.units)
            return {"kernel": _pack(kernel), "bias": _pack(bias), "activation": layer.activation.__name__}
        case keras.layers.BatchNormalization():
            gamma, beta, mean, variance = (weight.astype(float) for weight in layer.get_weights())
            scale = gamma / np.sqrt(variance + layer.epsilon)
            return {"scale": _pack(scale), "shift": _pack(beta - mean * scale)}
        case keras.layers.Activation():
            return {"activation": layer.activation.__name__}
    raise ValueError(f"model: la capa {layer.name} es de tipo {type(layer).__name__} y la página no sabe calcularla.")


def _pack(weights: np.ndarray) -> str:
    bits = np.ascontiguousarray(weights, dtype="<f4").view("<u4").ravel() + 0x80  # sin el byte bajo, a 2**-17
    return base64.b64encode(bits.astype("<u4").view("u1").reshape(-1, 4)[:, 1:].tobytes()).decode()

"""El mismo entrenamiento en cada biblioteca: ``python benchmarks/competidores.py NOMBRE`` imprime lo medido en JSON.

Todos entrenan la misma red sobre las mismas imágenes, con Adam, lotes de 128 y la validación tras cada época, desde
pesos sin entrenar. Se mide desde que los datos están en memoria y la biblioteca importada, compilación incluida.
"""

import itertools
import json
import resource
import sys
import time

EPOCHS, BATCH_SIZE, SIZES = 20, 128, (40, 50, 15)


def tarea4(kind: str, n_seeds: int = 1, repeats: int = 1, evaluated: int = 0) -> dict:
    """`tarea4.training.train_seeds`, como lo usan los cuadernos."""
    import dataclasses

    import numpy as np

    from tarea4 import data, models, training

    dataset = data.load()
    if repeats > 1:
        larger = {name: np.concatenate([getattr(dataset, name)] * repeats) for name in ("x_train", "y_train")}
        dataset = dataclasses.replace(dataset, **larger)
    start = time.perf_counter()
    model = models.plain(SIZES) if kind == "plain" else models.printed_variant()
    options = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "train_metrics": bool(evaluated)}
    runs = training.train_seeds(model, dataset, range(n_seeds), **options)
    seconds = time.perf_counter() - start
    val_loss = sum(run.best("val_loss") for run in runs) / n_seeds
    return report(seconds, runs[0].history["seconds"], val_loss)


def keras_fit(kind: str) -> dict:
    """`fit` de Keras con sus opciones y sin fijar la semilla: fijada, las imágenes van siempre en el mismo orden."""
    import keras

    from tarea4 import data, models

    dataset = data.load()
    labels = {split: keras.utils.to_categorical(getattr(dataset, f"y_{split}")) for split in ("train", "val")}
    clock = Clock()
    model = models.plain(SIZES) if kind == "plain" else models.printed_variant()
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: clock.tick())
    history = model.fit(
        dataset.x_train, labels["train"], validation_data=(dataset.x_val, labels["val"]),
        batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0, callbacks=[callback],
    ).history  # fmt: skip
    return report(clock.total(), clock.epochs, min(history["val_loss"]))


def torch_loop(kind: str) -> dict:
    """Bucle idiomático de PyTorch: tensores residentes, permutación por época y Adam fusionado."""
    import torch
    from torch import nn

    x, y, x_val, y_val = (torch.from_numpy(array) for array in mnist())
    y, y_val = y.long(), y_val.long()
    clock = Clock()
    torch.manual_seed(0)
    hidden = [nn.Linear(784, 40), nn.ReLU(), nn.Linear(40, 50), nn.ReLU(), nn.Linear(50, 15), nn.ReLU()]
    if kind == "regularised":
        hidden = [nn.Dropout(0.2), *hidden[:2], nn.BatchNorm1d(40), *hidden[1:]]
    model = nn.Sequential(*hidden, nn.Linear(15, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    val_losses = []
    for _ in range(EPOCHS):
        model.train()
        for rows in torch.randperm(len(x)).split(BATCH_SIZE):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            val_losses.append(float(nn.functional.cross_entropy(model(x_val), y_val)))
        clock.tick()
    return report(clock.total(), clock.epochs, min(val_losses))


def sklearn_mlp(kind: str) -> dict:
    """`MLPClassifier` de scikit-learn, época a época con `partial_fit`; solo tiene la red simple."""
    import numpy as np
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = mnist()
    clock = Clock()
    model = MLPClassifier(SIZES, alpha=0, batch_size=BATCH_SIZE, random_state=0)
    val_losses = []
    for _ in range(EPOCHS):
        model.partial_fit(x, y, classes=np.arange(10))
        val_losses.append(log_loss(y_val, model.predict_proba(x_val)))
        clock.tick()
    return report(clock.total(), clock.epochs, min(val_losses))


def numpy_floor(kind: str) -> dict:
    """Solo los productos de matrices que hacen falta, hacia delante y hacia atrás: el suelo de cualquier biblioteca."""
    import numpy as np

    x, _, x_val, _ = mnist()
    widths = (784, *SIZES, 10)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.05, shape).astype("float32") for shape in itertools.pairwise(widths)]
    clock = Clock()
    for _ in range(EPOCHS):
        for start in range(0, len(x), BATCH_SIZE):
            activations = [x[start : start + BATCH_SIZE]]
            for weight in weights:
                activations.append(activations[-1] @ weight)
            gradient = activations.pop()
            for layer in reversed(range(len(weights))):
                _ = activations[layer].T @ gradient
                if layer:  # nadie necesita el gradiente respecto a las imágenes
                    gradient = gradient @ weights[layer].T
        validation = x_val
        for weight in weights:
            validation = validation @ weight
        clock.tick()
    return report(clock.total(), clock.epochs, None)


class Clock:
    """Cronómetro de épocas."""

    def __init__(self):
        self.start = self.last = time.perf_counter()
        self.epochs = []

    def tick(self):
        """Cierra una época."""
        now = time.perf_counter()
        self.epochs.append(now - self.last)
        self.last = now

    def total(self) -> float:
        """Segundos desde el principio."""
        return time.perf_counter() - self.start


def mnist():
    """Imágenes y etiquetas de entrenamiento y de validación, sin pasar por TensorFlow."""
    from pathlib import Path

    import numpy as np

    with np.load(Path(__file__).parents[1] / "tarea4" / "mnist.npz") as archive:
        x, y = archive["x_train"], archive["y_train"].astype("int32")
    x = x.reshape(len(x), -1).astype("float32") / np.float32(255)
    return x[:54_000], y[:54_000], x[54_000:], y[54_000:]


def report(seconds: float, epochs: list[float], val_loss: float | None) -> dict:
    """Lo que se anota de cada carrera; la memoria, en MiB."""
    later = sorted(epochs[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "epoch": later[len(later) // 2], "val_loss": val_loss, "memory": peak}


COMPETITORS = {
    "tarea4": tarea4,
    "keras": keras_fit,
    "torch": torch_loop,
    "sklearn": sklearn_mlp,
    "numpy": numpy_floor,
}

if __name__ == "__main__":
    name, kind, *numbers = sys.argv[1:]
    print(json.dumps(COMPETITORS[name](kind, *map(int, numbers))))

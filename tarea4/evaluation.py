"""Mide las redes entrenadas: métricas por partición, épocas que cumplen unos umbrales y errores."""

import itertools
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import pandas as pd

from tarea4.data import Dataset
from tarea4.training import SENSES, Run

BATCH_SIZE = 16_384  # imágenes por llamada: acota la memoria, no cambia el resultado


def predict(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Salidas de la red para `x` (n, d), una o más imágenes: (n, k) float32, probabilidades si acaba en softmax."""
    return np.concatenate([outputs.numpy() for _, outputs in _forward(model, x)])


def evaluate(model: keras.Model, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Pérdida y exactitud de una red, sin dropout ni penalizaciones, como las de validación de `Run.history`.

    La exactitud, entre 0 y 1, cuenta las imágenes cuya salida mayor es la de su clase, y sirve con cualquier
    activación. La pérdida es la media de aquella con que se compiló la red: con softmax, la entropía cruzada en nats;
    con otras salidas, la suya (véase `tarea4.models.plain`), que no se compara con esa. `x` es (n, d), con n mayor que
    0, e `y` (n,), etiquetas de 0 a k - 1.

    References
    ----------
    https://keras.io/api/losses/probabilistic_losses/#categoricalcrossentropy-class
    """
    per_image = keras.losses.get(model.loss)
    loss, hits = 0.0, 0
    for rows, outputs in _forward(model, x):
        # Del tensor, y no de sus valores, Keras recupera los logits: así no recorta en 1e-7, igual que al entrenar.
        losses = per_image(keras.utils.to_categorical(y[rows], outputs.shape[-1]), outputs)
        loss += float(np.sum(losses, dtype="float64"))
        hits += int(np.sum(np.argmax(outputs, axis=-1) == y[rows]))
    return {"loss": loss / len(x), "accuracy": hits / len(x)}


def measured_senses(runs: Iterable[Run]) -> dict[str, str]:
    """Los `SENSES` que se midieron en todos esos entrenamientos."""
    common = set.intersection(*(set(run.history) for run in runs))
    return {prefix: label for prefix, label in SENSES.items() if f"{prefix}loss" in common}


def validation_results(runs_by_name: dict[str, list[Run]]) -> pd.DataFrame:
    """Tabla con una fila por entrenamiento y lo medido en su mejor época de validación, sin tocar la prueba.

    Columnas: `model`, `seed`, `parameters`, `epochs`, `best_epoch`, `seconds`; `loss` y `accuracy` (como las imprime
    Keras) y, evaluadas, `val_` y, si se midieron, `train_` `loss` y `accuracy`. Pérdidas en nats, exactitudes entre 0
    y 1.
    """
    senses = measured_senses(run for runs in runs_by_name.values() for run in runs)
    return pd.DataFrame(
        {"model": name, "seed": run.seed, "parameters": run.model.count_params(), "epochs": len(run.history["loss"])}
        | {"best_epoch": run.best_epoch, "seconds": run.seconds}
        | {prefix + metric: run.best(prefix + metric) for prefix in senses for metric in ("loss", "accuracy")}
        for name, runs in runs_by_name.items()
        for run in runs
    )


def results(runs_by_name: dict[str, list[Run]], data: Dataset) -> pd.DataFrame:
    """La tabla de `validation_results` con `test_loss` y `test_accuracy`: la única medida que mira la prueba.

    Mide también `train_loss` y `train_accuracy`, si no se midieron al entrenar.
    """
    runs, table = [run for group in runs_by_name.values() for run in group], validation_results(runs_by_name)
    for split in ["test"] if "train_loss" in table else ["train", "test"]:
        x, y = keras.ops.convert_to_tensor(getattr(data, f"x_{split}")), getattr(data, f"y_{split}")  # se copia una vez
        table = table.join(pd.DataFrame([evaluate(run.model, x, y) for run in runs]).add_prefix(f"{split}_"))
    return table


def reaching(runs_by_name: dict[str, list[Run]], max_loss: float, min_accuracy: float) -> pd.DataFrame:
    """En qué época cumple cada entrenamiento los dos umbrales, en cada sentido de la pérdida.

    Columnas: `model`, `seed`, `sense` (clave de `SENSES`), `epoch` (NA si no los cumple), `epochs_waited` y
    `seconds_waited`: hasta cumplirlos o, si no, una época más de las que duró, que es una cota inferior.
    """
    rows = []
    for name, runs in runs_by_name.items():
        for run, prefix in itertools.product(runs, SENSES):
            epoch = run.epoch_reaching(max_loss, min_accuracy, prefix)
            waited = epoch or len(run.history["loss"]) + 1
            # La mediana deja fuera la compilación, que solo paga la primera época.
            rows.append((name, run.seed, prefix, epoch, waited, waited * float(np.median(run.history["seconds"]))))
    columns = ["model", "seed", "sense", "epoch", "epochs_waited", "seconds_waited"]
    return pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})


def best_model(explored: pd.DataFrame) -> str:
    """El modelo con menor pérdida de validación, media de sus semillas."""
    return explored.groupby("model", sort=False)["val_loss"].mean().idxmin()


def confusion(y: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Matriz de confusión (n_classes, n_classes): filas, clase verdadera; columnas, predicha; también las ausentes."""
    return np.bincount(n_classes * y + y_pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def worst_confusions(cm: np.ndarray, k: int) -> pd.DataFrame:
    """Hasta `k` confusiones más frecuentes, en orden: `true`, `predicted`, `count` y `fraction` de la clase `true`."""
    true, predicted = np.nonzero(cm - np.diag(np.diag(cm)))
    count = cm[true, predicted]
    table = pd.DataFrame({"true": true, "predicted": predicted, "count": count, "fraction": count / cm.sum(1)[true]})
    return table.sort_values("count", ascending=False, kind="stable", ignore_index=True).head(k)


def confident_errors(y: np.ndarray, probabilities: np.ndarray, k: int) -> np.ndarray:
    """Índices de hasta `k` imágenes mal clasificadas, de la equivocación más segura a la menos."""
    errors = np.flatnonzero(np.argmax(probabilities, axis=1) != y)
    return errors[np.argsort(-np.max(probabilities[errors], axis=1), kind="stable")][:k]


def _forward(model: keras.Model, x: np.ndarray) -> Iterator[tuple]:
    # Llamada directa: `predict` de Keras compilaría una función nueva para cada red.
    for start in range(0, len(x), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        yield rows, model(x[rows], training=False)

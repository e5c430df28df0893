"""Mide las redes entrenadas y las compara: métricas, intervalos, pruebas emparejadas, confusión y calibración."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from scipy import optimize, special, stats
from sklearn.metrics import confusion_matrix

from tarea4.data import Dataset
from tarea4.training import Run

BATCH_SIZE = 16_384  # imágenes por llamada: acota la memoria, no cambia el resultado
# Los sentidos de una métrica, por el prefijo que llevan en `Run.history` y en `results`.
SENSES = {"": "entrenamiento, corriente", "train_": "entrenamiento, evaluada", "val_": "validación"}


class Interval(NamedTuple):
    """Media de unos valores y su intervalo de confianza, infinito si no bastan para acotarla."""

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Media de las `n` diferencias ``a - b``, su intervalo de confianza y el valor p de que sea cero."""

    mean_difference: float
    low: float
    high: float
    p_value: float
    n: int
    confidence: float


class McNemarResult(NamedTuple):
    """Aciertos solo de la primera red (`b`), solo de la segunda (`c`) y valor p exacto de que valgan lo mismo."""

    b: int
    c: int
    p_value: float


class Calibration(NamedTuple):
    """Tramos de confianza (`confidence`, `accuracy`, `low`, `high`, `count`) y error de calibración esperado."""

    bins: pd.DataFrame
    ece: float


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
        x, y = getattr(data, f"x_{split}"), getattr(data, f"y_{split}")
        table = table.join(pd.DataFrame([evaluate(run.model, x, y) for run in runs]).add_prefix(f"{split}_"))
    return table


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Intervalo t de Student de la media de uno o más valores, como los de varias semillas.

    Con 5 o 10 valores se prefiere t al bootstrap, que de tan pocos da intervalos demasiado estrechos (Hesterberg).
    Con un solo valor el intervalo es infinito; con valores iguales es un punto; con alguno no finito, todo es NaN.

    References
    ----------
    T. C. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69(4), 2015.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"values: se recibió un arreglo de forma {values.shape} y se admite (n,) con n mayor que 0.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: se recibió {confidence!r} y se admite un número entre 0 y 1, sin ellos.")
    if not np.isfinite(values).all():
        return Interval(np.nan, np.nan, np.nan)
    mean = float(values.mean())
    half = float(stats.t.ppf((1 + confidence) / 2, values.size - 1) * stats.sem(values)) if values.size > 1 else np.inf
    return Interval(mean, mean - half, mean + half)


def paired_difference(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Comparison:
    """Compara una métrica de dos redes, en el mismo orden de semillas, con la prueba t emparejada y su intervalo.

    El intervalo excluye el cero justo cuando ``p_value < 1 - confidence``. Si las diferencias son todas la misma, y no
    es cero, no hay dispersión que estimar y decide la prueba de los signos: el intervalo es un punto si son bastantes
    (6 con el 95 %) e infinito si no. Las semillas cambian los pesos iniciales, el orden y las máscaras, pero no los
    datos: la conclusión vale para esta partición (Dietterich; Bouthillier). Por qué t, en `mean_interval`.

    References
    ----------
    T. G. Dietterich, "Approximate statistical tests for comparing supervised classification learning algorithms",
    Neural Computation 10(7), 1998.
    X. Bouthillier et al., "Accounting for variance in machine learning benchmarks", MLSys 2021.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"b: se recibió un arreglo de forma {b.shape} y se admite la de a, {a.shape}.")
    n, (mean, low, high) = a.size, mean_interval(a - b, confidence)
    # Las métricas nacen en float32: lo que varía menos que su redondeo no varía.
    rounding = 2 * np.finfo("float32").eps * np.abs([a, b]).max()
    if np.ptp(a - b) <= rounding:
        p_value = float(stats.binomtest(n, n).pvalue) if abs(mean) > rounding else 1.0
        if 1 - confidence <= p_value < 1:
            low, high = -np.inf, np.inf
    else:
        p_value = float(stats.ttest_rel(a, b).pvalue)
    return Comparison(mean, low, high, p_value, n, confidence)


def mcnemar(y: np.ndarray, predictions_a: np.ndarray, predictions_b: np.ndarray) -> McNemarResult:
    """Prueba exacta de McNemar con las clases que dos redes predicen para las mismas imágenes, (n,) cada una.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12(2), 1947. La recomienda Dietterich (1998) para redes entrenadas una vez.
    """
    right_a, right_b = np.equal(predictions_a, y), np.equal(predictions_b, y)
    b, c = int(np.sum(right_a & ~right_b)), int(np.sum(~right_a & right_b))
    return McNemarResult(b, c, float(stats.binomtest(b, b + c).pvalue) if b + c else 1.0)


def standard_error(accuracy: float, n: int) -> float:
    """Error estándar binomial, ``sqrt(p (1 - p) / n)``, de una exactitud entre 0 y 1 medida en `n` imágenes."""
    if not (0 <= accuracy <= 1 and n >= 1):
        raise ValueError(f"accuracy, n: se recibió {accuracy!r}, {n!r} y se admite [0, 1] y un entero positivo.")
    return float(stats.bernoulli.std(accuracy) / np.sqrt(n))


def calibration(y: np.ndarray, probabilities: np.ndarray, n_bins: int = 10) -> Calibration:
    """Exactitud frente a confianza (la mayor salida de cada imagen) en `n_bins` tramos iguales (low, high], y su ECE.

    `y` es (n,) y `probabilities` (n, k), entre 0 y 1: ValueError si no, como en una red de salida lineal. En un tramo
    vacío, `confidence` y `accuracy` son NaN.

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017, ecuación 3.
    """
    confidence = np.max(probabilities, axis=1).astype("float64")
    if not np.all((confidence >= 0) & (confidence <= 1 + 1e-6)):  # en float32, softmax pasa de 1 por redondeo
        raise ValueError(f"probabilities: se recibió de {confidence.min()} a {confidence.max()} y se admite [0, 1].")
    edges = np.linspace(0, 1, n_bins + 1)
    images = pd.DataFrame({"confidence": confidence.clip(0, 1), "accuracy": np.argmax(probabilities, axis=1) == y})
    by_bin = images.groupby(pd.cut(images["confidence"], edges, include_lowest=True), observed=False)
    bins = by_bin.mean().assign(low=edges[:-1], high=edges[1:], count=by_bin.size()).reset_index(drop=True)
    ece = ((bins["accuracy"] - bins["confidence"]).abs() * bins["count"]).sum() / len(images)
    return Calibration(bins, float(ece))


def temperature(y: np.ndarray, probabilities: np.ndarray) -> float:
    """La temperatura, entre 0.05 y 20, que divide los logits y hace mínima la entropía cruzada de `probabilities`.

    Se ajusta en validación; mayor que 1 quiere decir que la red se confía de más.

    References
    ----------
    C. Guo et al., "On calibration of modern neural networks", ICML 2017, sección 4.2.
    """
    logits = np.log(np.maximum(probabilities.astype("float64"), 1e-30))

    def loss(scale: float) -> float:
        return float(-special.log_softmax(logits / scale, axis=1)[np.arange(len(y)), y].mean())

    return float(optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x)


def confusion(y: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Matriz de confusión (n_classes, n_classes): filas, clase verdadera; columnas, predicha; también las ausentes."""
    return confusion_matrix(y, y_pred, labels=np.arange(n_classes))


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

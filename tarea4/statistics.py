"""Lo que se puede afirmar de unas medidas: intervalos, diferencias emparejadas, McNemar y calibración."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special, stats


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


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Intervalo t de Student de la media de uno o más valores, como los de varias semillas.

    Con tan pocos valores el bootstrap da intervalos demasiado estrechos (Hesterberg). Con uno solo el intervalo es
    infinito; con valores iguales, un punto; con alguno no finito, todo es NaN.

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


def prediction_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Media de unos valores e intervalo donde caería uno más, salido de lo mismo: ``media ± t s sqrt(1 + 1/n)``.

    Es lo que se pregunta de una cifra suelta; el intervalo de la media, más estrecho, no la contiene casi nunca. Con
    un solo valor es infinito; con alguno no finito, todo es NaN.

    References
    ----------
    G. J. Hahn y W. Q. Meeker, "Statistical intervals", Wiley, 1991, sección 4.7.
    """
    mean, low, _ = mean_interval(values, confidence)
    half = (mean - low) * np.sqrt(np.size(values) + 1)
    return Interval(mean, mean - half, mean + half)


def expected_minimum(values: Sequence[float]) -> np.ndarray:
    """Menor valor que se espera al tomar al azar 1, 2, ..., n de los n valores, sin reponer: un estimador insesgado.

    References
    ----------
    R. Tang et al., "Showing your work doesn't always work", ACL 2020.
    """
    ordered, n = np.sort(values), len(values)
    larger = np.arange(n - 1, -1, -1)  # cuántos le siguen a cada uno
    return np.array([ordered @ special.comb(larger, k - 1) / special.comb(n, k) for k in range(1, n + 1)])


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


def compare(measured: pd.DataFrame, name: str, other: str, metric: str) -> Comparison:
    """Diferencia emparejada por semilla entre dos modelos, de una columna de `tarea4.evaluation.results`."""
    by_seed = [measured[measured["model"] == each].set_index("seed")[metric] for each in (name, other)]
    return paired_difference(by_seed[0], by_seed[1].loc[by_seed[0].index])


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

"""Pruebas de `tarea4.statistics`: contra cuentas a mano, SciPy y scikit-learn."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve

from tarea4 import statistics


def test_mean_interval_by_hand():
    """Para 1, 2, 3, 4, 5: media 3 y semiancho t(0,975; 4) · sqrt(2,5 / 5), con la t de las tablas."""
    interval = statistics.mean_interval([1, 2, 3, 4, 5])
    half = 2.776 * np.sqrt(2.5 / 5)
    assert interval == pytest.approx((3, 3 - half, 3 + half), abs=1e-3)  # la t de las tablas tiene 3 decimales


def test_mean_interval_of_too_little_is_unbounded():
    """Con un valor no hay intervalo; con valores iguales es un punto; un NaN no se esconde."""
    assert statistics.mean_interval([0.5]) == (0.5, -np.inf, np.inf)
    assert statistics.mean_interval([0.5, 0.5]) == (0.5, 0.5, 0.5)
    for missing in (np.nan, np.inf, None):
        assert np.isnan(statistics.mean_interval([0.5, missing])).all()


@pytest.mark.parametrize(
    ("values", "confidence", "name"),
    [([], 0.95, "values"), ([[1.0]], 0.95, "values"), ([1.0], 0, "confidence"), ([1.0], 1, "confidence")],
)
def test_mean_interval_rejects_what_it_cannot_use(values, confidence, name):
    """El error nombra el argumento."""
    with pytest.raises(ValueError, match=f"^{name}:"):
        statistics.mean_interval(values, confidence)


def test_mean_interval_covers_the_mean_as_often_as_it_says():
    """De 4 000 muestras normales de 5 valores, el 95 % de los intervalos contiene la media."""
    samples = np.random.default_rng(0).normal(size=(4000, 5))
    covered = [low <= 0 <= high for _, low, high in map(statistics.mean_interval, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 4000))  # cuatro errores estándar


def test_paired_difference_agrees_with_scipy():
    """La diferencia, el intervalo y el valor p son los de la prueba t de una muestra sobre las diferencias."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.08, 0.01, (2, 7))
    for confidence in (0.8, 0.95, 0.99):
        comparison = statistics.paired_difference(a, b, confidence)
        test = stats.ttest_1samp(a - b, 0)
        expected = (np.mean(a - b), *test.confidence_interval(confidence), test.pvalue)
        assert comparison[:4] == pytest.approx(expected)
        assert comparison[4:] == (7, confidence)


def test_paired_difference_pairs_by_seed():
    """Lo que ambas redes deben a la semilla se cancela: un efecto menor que la dispersión entre semillas se ve."""
    a = np.array([0.10, 0.30, 0.50, 0.70, 0.90])
    b = a - np.array([0.010, 0.011, 0.009, 0.012, 0.008])
    comparison = statistics.paired_difference(a, b)
    assert comparison.low > 0
    assert stats.ttest_ind(a, b).pvalue > 0.9


@pytest.mark.parametrize("shift", np.linspace(-2, 2, 21))
def test_interval_excludes_zero_just_when_p_is_small(shift):
    """El intervalo y el valor p nunca se contradicen."""
    a = np.random.default_rng(2).normal(shift, 1, 6)
    comparison = statistics.paired_difference(a, np.zeros(6))
    assert (comparison.low > 0 or comparison.high < 0) == (comparison.p_value < 0.05)


def test_one_pair_proves_nothing():
    """Con una semilla, por grande que sea la diferencia, el intervalo es infinito y p es 1."""
    assert statistics.paired_difference([5.0], [1.0])[:5] == (4, -np.inf, np.inf, 1, 1)


def test_equal_runs_differ_by_nothing():
    """Redes iguales en todas las semillas: diferencia cero, sin duda y sin advertencias."""
    for values in ([0.1, 0.2, 0.3], [0.0] * 6):
        assert statistics.paired_difference(values, values)[:4] == (0, 0, 0, 1)


def test_constant_difference_is_left_to_the_sign_test():
    """Una misma diferencia en 5 semillas no basta (p = 2 · 0,5⁵ = 0,0625); en 6, sí (0,03125)."""
    five, six = (statistics.paired_difference(np.arange(n) + 2.0, np.arange(n)) for n in (5, 6))
    assert five[:4] == pytest.approx((2, -np.inf, np.inf, 0.0625))
    assert six[:4] == pytest.approx((2, 2, 2, 0.03125))
    just = statistics.paired_difference(np.arange(5) + 2.0, np.arange(5), 1 - 0.0625)  # p no es menor: no basta
    assert just[1:3] == (-np.inf, np.inf)


def test_rounding_of_float32_is_not_evidence():
    """Diferencias que solo varían por el redondeo de float32 cuentan como iguales."""
    a = np.float32([0.91, 0.92, 0.93, 0.94])
    b = np.float32([0.90, 0.91, 0.92, 0.93])
    assert np.ptp(a.astype(float) - b.astype(float)) > 0
    comparison = statistics.paired_difference(a, b)
    assert comparison.low == -np.inf
    assert comparison.p_value == pytest.approx(2 * 0.5**4)
    # El límite: dos unidades de redondeo del mayor de los valores, 1; 1,9 no son nada y 2,1 ya varían.
    for units, p_value in ((1.9, 0.5), (2.1, 0.0)):
        varied = statistics.paired_difference([1.0 - units * 2.0**-23, 1.0], [0.0, 0.0])
        assert varied.p_value == pytest.approx(p_value, abs=1e-6)


def test_paired_difference_keeps_missing_values_visible():
    """Una semilla que no llegó (None) deja la comparación sin resultado, en vez de esconderse."""
    assert np.isnan(statistics.paired_difference([3, None, 4], [1, 2, 3])[:4]).all()


def test_paired_difference_needs_pairs():
    """Con distinto número de semillas no hay parejas."""
    with pytest.raises(ValueError, match=r"^b:"):
        statistics.paired_difference([1.0, 2.0], [1.0])


def test_mcnemar_by_hand():
    """Ocho aciertos solo de la primera y uno solo de la segunda: p = 2 · (1 + 9) / 2⁹."""
    y = np.zeros(20, int)
    a, b = np.zeros(20, int), np.zeros(20, int)
    b[:8], a[8], a[9:12], b[9:12] = 1, 1, 1, 2  # las tres últimas las fallan ambas
    assert statistics.mcnemar(y, a, b) == pytest.approx((8, 1, 20 / 512))
    assert statistics.mcnemar(y, b, a) == pytest.approx((1, 8, 20 / 512))
    assert statistics.mcnemar(y, a, a) == (0, 0, 1)


def test_standard_error_by_hand():
    """El 98 % en 10 000 imágenes tiene un error estándar de 0,14 puntos."""
    assert statistics.standard_error(0.98, 10_000) == pytest.approx(0.0014)
    assert [statistics.standard_error(accuracy, 1) for accuracy in (0, 0.5, 1)] == [0, 0.5, 0]
    for accuracy, n in ((1.2, 10), (-0.1, 10), (0.5, 0), (float("nan"), 10)):
        with pytest.raises(ValueError, match=r"^accuracy, n:"):
            statistics.standard_error(accuracy, n)


def test_calibration_by_hand():
    """Dos tramos: 0,6 y 0,8 con un acierto (ECE 0,2), y 0,3 vacío; los bordes caen en el tramo de abajo."""
    probabilities = np.array([[0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
    result = statistics.calibration(np.array([0, 0, 0]), probabilities, n_bins=2)
    assert result.bins["count"].tolist() == [1, 2]
    assert result.bins["confidence"].tolist() == pytest.approx([0.5, 0.7])
    assert result.bins["accuracy"].tolist() == [1, 0.5]
    assert result.ece == pytest.approx((1 * 0.5 + 2 * 0.2) / 3)
    assert result.bins[["low", "high"]].to_numpy().tolist() == [[0, 0.5], [0.5, 1]]


@pytest.mark.parametrize("n_bins", [1, 7, 10, 15])
def test_calibration_agrees_with_scikit_learn(n_bins):
    """Los tramos no vacíos son los de `calibration_curve`, y la ECE es su media ponderada."""
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.full(4, 0.3), 500)
    y = rng.integers(0, 4, 500)
    result = statistics.calibration(y, probabilities, n_bins)
    hits, confidence = probabilities.argmax(1) == y, probabilities.max(1)
    accuracy, mean_confidence = calibration_curve(hits, confidence, n_bins=n_bins)
    filled = result.bins[result.bins["count"] > 0]
    np.testing.assert_allclose(filled["accuracy"], accuracy)
    np.testing.assert_allclose(filled["confidence"], mean_confidence)
    assert result.bins["count"].sum() == 500
    assert result.ece == pytest.approx(np.average(np.abs(accuracy - mean_confidence), weights=filled["count"]))


def test_calibration_of_a_perfect_oracle_is_zero():
    """Certezas que aciertan siempre: ECE cero, y al último de diez tramos, aunque el redondeo de softmax pase de 1."""
    result = statistics.calibration(np.array([1, 0]), np.float32([[0, 1.0000001], [1, 0]]))
    assert result.ece == 0
    assert result.bins["count"].tolist() == [0] * 9 + [2]
    assert result.bins.columns.tolist() == ["confidence", "accuracy", "low", "high", "count"]


def test_calibration_counts_an_output_without_confidence():
    """Una imagen con todas sus salidas a cero, como puede darlas la sigmoide, cuenta en el primer tramo."""
    result = statistics.calibration(np.array([1, 0]), np.array([[0.0, 0.0], [0.9, 0.1]]), n_bins=2)
    assert result.bins["count"].tolist() == [1, 1]
    assert result.ece == pytest.approx(0.05)  # (0 + 0,1) / 2


def test_calibration_rejects_what_is_not_a_probability():
    """Las salidas de una red lineal no son confianzas, y el error lo dice."""
    for largest, found in (([2.5, 0.2], "de 0.2 a 2.5"), ([0.3, 1.001], "de 0.3 a 1.001"), ([-0.5, 0.2], "de -0.5 a")):
        with pytest.raises(ValueError, match=f"^probabilities: se recibió {found}"):
            statistics.calibration(np.array([0, 1]), np.array([[each, each - 1] for each in largest]))


def test_prediction_interval_holds_one_more_value():
    """Es ``media ± t s sqrt(1 + 1/n)``, y contiene un valor más, de los mismos, 19 de cada 20 veces."""
    values = [0.1, 0.4, 0.2, 0.9]
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * np.sqrt(1.25)
    assert statistics.prediction_interval(values) == pytest.approx((0.4, 0.4 - half, 0.4 + half))
    half *= stats.t.ppf(0.9, 3) / stats.t.ppf(0.975, 3)
    assert statistics.prediction_interval(values, 0.8) == pytest.approx((0.4, 0.4 - half, 0.4 + half))
    draws = np.random.default_rng(0).normal(size=(4000, 6))
    inside = [low <= last <= high for *past, last in draws for _, low, high in [statistics.prediction_interval(past)]]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)  # tres errores típicos de 4000 tiradas
    assert statistics.prediction_interval([0.5])[1:] == (-np.inf, np.inf)
    assert np.isnan(statistics.prediction_interval([0.5, np.nan])).all()


def test_expected_minimum_averages_every_choice():
    """Es la media del menor sobre todas las maneras de tomar k de n, sin reponer y sin importar el orden."""
    values = [0.4, 0.1, 0.9, 0.3, 0.3]
    by_hand = [np.mean([min(chosen) for chosen in itertools.combinations(values, k)]) for k in range(1, 6)]
    assert statistics.expected_minimum(values) == pytest.approx(by_hand)
    assert np.isfinite(statistics.expected_minimum(np.linspace(0, 1, 200))).all()


def test_compare_pairs_by_seed_whatever_the_order():
    """Empareja por semilla filas desordenadas, y la diferencia es la del primero menos la del segundo."""
    rows = [("b", 7, 0.5), ("a", 3, 0.1), ("a", 5, 0.4), ("b", 3, 0.2), ("a", 7, 0.2), ("b", 5, 0.6), ("c", 5, 9.0)]
    measured = pd.DataFrame(rows, columns=["model", "seed", "val_loss"]).assign(val_accuracy=1.0)
    expected = statistics.paired_difference([0.1, 0.4, 0.2], [0.2, 0.6, 0.5])
    assert statistics.compare(measured, "a", "b", "val_loss") == pytest.approx(expected)
    assert statistics.compare(measured, "b", "a", "val_loss").mean_difference == pytest.approx(0.2)
    assert statistics.compare(measured, "a", "b", "val_accuracy").mean_difference == 0


def test_compare_needs_the_same_seeds():
    """Una semilla que falta en uno de los dos no se empareja con otra: es un error."""
    rows = [("a", 0, 0.1), ("a", 1, 0.2), ("b", 0, 0.3)]
    with pytest.raises(KeyError):
        statistics.compare(pd.DataFrame(rows, columns=["model", "seed", "val_loss"]), "a", "b", "val_loss")

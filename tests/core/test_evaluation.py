"""Pruebas de tarea4.evaluation: contra cuentas a mano, scikit-learn, SciPy y el propio Keras."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from tarea4 import evaluation, models
from tarea4.training import train_seeds


@pytest.fixture(scope="module")
def runs(small):
    """Dos semillas de una red mínima, tres épocas."""
    return train_seeds(models.plain((8,)), small, [3, 4], epochs=3)


def test_predict_agrees_with_keras_across_batches(small, runs, monkeypatch):
    """Por lotes, con uno incompleto, da lo mismo que `predict` de Keras, en float32."""
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 128)
    predicted = evaluation.predict(runs[0].model, small.x_test)
    assert predicted.shape == (len(small.x_test), 10)
    assert predicted.dtype == np.float32
    # float32: el orden de las sumas cambia con el tamaño del lote.
    np.testing.assert_allclose(predicted, runs[0].model.predict(small.x_test, verbose=0), atol=1e-6)


def test_evaluate_is_the_cross_entropy_of_scikit_learn(small, runs, monkeypatch):
    """Con softmax, la pérdida es la entropía cruzada y la exactitud la fracción de aciertos."""
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 128)
    probabilities = evaluation.predict(runs[0].model, small.x_test).astype("float64")
    expected = log_loss(small.y_test, probabilities / probabilities.sum(1, keepdims=True), labels=np.arange(10))
    measured = evaluation.evaluate(runs[0].model, small.x_test, small.y_test)
    assert measured["loss"] == pytest.approx(expected, rel=1e-5)  # las salidas son float32
    assert measured["accuracy"] == np.mean(probabilities.argmax(1) == small.y_test)


def test_evaluate_repeats_the_validation_of_the_best_epoch(small, runs):
    """Sobre validación da lo que el entrenamiento anotó en su mejor época: es la misma medida."""
    for run in runs:
        measured = evaluation.evaluate(run.model, small.x_val, small.y_val)
        assert measured["loss"] == pytest.approx(run.best("val_loss"), rel=1e-4)  # float32, sumado en otro orden
        assert measured["accuracy"] == pytest.approx(run.best("val_accuracy"))


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_evaluate_uses_the_loss_of_the_model(small, output):
    """Con otra salida, la pérdida es la que compiló la red, la misma que da `evaluate` de Keras."""
    model = models.plain((8,), output=output)
    one_hot = np.eye(10, dtype="float32")[small.y_test]
    loss, accuracy = model.evaluate(small.x_test, one_hot, verbose=0)
    expected = {"loss": loss, "accuracy": accuracy}
    assert evaluation.evaluate(model, small.x_test, small.y_test) == pytest.approx(expected, rel=1e-4)  # float32


def test_evaluate_does_not_clip_confident_errors():
    """Una equivocación rotunda cuesta lo que dicen sus logits, no el tope de 16 nats del recorte en 1e-7."""
    model = models.plain((1,), input_size=1, n_classes=2)
    model.set_weights([np.ones((1, 1)), np.zeros(1), np.array([[100.0, 0.0]]), np.zeros(2)])
    assert evaluation.evaluate(model, np.ones((1, 1), "float32"), np.array([1]))["loss"] == pytest.approx(100)


def test_results_has_one_row_per_run_at_its_best_epoch(small, runs):
    """Cada fila junta lo anotado en la mejor época con lo medido en prueba."""
    table = evaluation.results({"a": runs, "b": runs[:1]}, small)
    assert table["model"].tolist() == ["a", "a", "b"]
    assert table["seed"].tolist() == [3, 4, 3]
    assert set(table["parameters"]) == {784 * 8 + 8 + 8 * 10 + 10}
    for (_, row), run in zip(table.iterrows(), [*runs, runs[0]], strict=True):
        assert row["best_epoch"] == run.best_epoch
        assert row["epochs"] == 3
        assert row["seconds"] == run.seconds
        for metric in ("loss", "accuracy", "train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            assert row[metric] == run.history[metric][run.best_epoch - 1]
        assert row["test_accuracy"] == evaluation.evaluate(run.model, small.x_test, small.y_test)["accuracy"]


def test_results_measures_on_the_test_set_only(small, runs):
    """Cambiar las etiquetas de prueba cambia las columnas de prueba y ninguna más."""
    poisoned = replace(small, y_test=(small.y_test + 1) % 10)
    original, changed = (evaluation.results({"a": runs}, d) for d in (small, poisoned))
    different = {column for column in original if not original[column].equals(changed[column])}
    assert different == {"test_loss", "test_accuracy"}


def test_results_measures_training_if_it_was_not(small, runs):
    """Sin métricas de entrenamiento en la historia, las mide en la red elegida: las mismas, salvo redondeo."""
    models_only = [replace(run, history={k: v for k, v in run.history.items() if "train_" not in k}) for run in runs]
    whole, measured = (evaluation.results({"a": group}, small) for group in (runs, models_only))
    assert "train_loss" not in evaluation.validation_results({"a": models_only})
    for name in ("train_loss", "train_accuracy"):  # orden de las sumas en float32
        np.testing.assert_allclose(measured[name], whole[name], rtol=1e-5)
    pd.testing.assert_frame_equal(measured[sorted(whole)], whole[sorted(whole)], rtol=1e-5)


def test_validation_results_are_the_results_without_test(small, runs):
    """Para elegir basta la tabla de validación: la misma, sin las columnas de prueba."""
    whole = evaluation.results({"a": runs, "b": runs[:1]}, small)
    chosen_on = evaluation.validation_results({"a": runs, "b": runs[:1]})
    pd.testing.assert_frame_equal(chosen_on, whole.drop(columns=["test_loss", "test_accuracy"]))


def test_mean_interval_by_hand():
    """Para 1, 2, 3, 4, 5: media 3 y semiancho t(0,975; 4) · sqrt(2,5 / 5), con la t de las tablas."""
    interval = evaluation.mean_interval([1, 2, 3, 4, 5])
    half = 2.776 * np.sqrt(2.5 / 5)
    assert interval == pytest.approx((3, 3 - half, 3 + half), abs=1e-3)  # la t de las tablas tiene 3 decimales


def test_mean_interval_of_too_little_is_unbounded():
    """Con un valor no hay intervalo; con valores iguales es un punto; un NaN no se esconde."""
    assert evaluation.mean_interval([0.5]) == (0.5, -np.inf, np.inf)
    assert evaluation.mean_interval([0.5, 0.5]) == (0.5, 0.5, 0.5)
    assert np.isnan(evaluation.mean_interval([0.5, np.nan])).all()


@pytest.mark.parametrize(
    ("values", "confidence", "name"),
    [([], 0.95, "values"), ([[1.0]], 0.95, "values"), ([1.0], 0, "confidence"), ([1.0], 1, "confidence")],
)
def test_mean_interval_rejects_what_it_cannot_use(values, confidence, name):
    """El error nombra el argumento."""
    with pytest.raises(ValueError, match=f"^{name}:"):
        evaluation.mean_interval(values, confidence)


def test_mean_interval_covers_the_mean_as_often_as_it_says():
    """De 4 000 muestras normales de 5 valores, el 95 % de los intervalos contiene la media."""
    samples = np.random.default_rng(0).normal(size=(4000, 5))
    covered = [low <= 0 <= high for _, low, high in map(evaluation.mean_interval, samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 4000))  # cuatro errores estándar


def test_paired_difference_agrees_with_scipy():
    """La diferencia, el intervalo y el valor p son los de la prueba t de una muestra sobre las diferencias."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.08, 0.01, (2, 7))
    for confidence in (0.8, 0.95, 0.99):
        comparison = evaluation.paired_difference(a, b, confidence)
        test = stats.ttest_1samp(a - b, 0)
        expected = (np.mean(a - b), *test.confidence_interval(confidence), test.pvalue)
        assert comparison[:4] == pytest.approx(expected)
        assert comparison[4:] == (7, confidence)


def test_paired_difference_pairs_by_seed():
    """Lo que ambas redes deben a la semilla se cancela: un efecto menor que la dispersión entre semillas se ve."""
    a = np.array([0.10, 0.30, 0.50, 0.70, 0.90])
    b = a - np.array([0.010, 0.011, 0.009, 0.012, 0.008])
    comparison = evaluation.paired_difference(a, b)
    assert comparison.low > 0
    assert stats.ttest_ind(a, b).pvalue > 0.9


@pytest.mark.parametrize("shift", np.linspace(-2, 2, 21))
def test_interval_excludes_zero_just_when_p_is_small(shift):
    """El intervalo y el valor p nunca se contradicen."""
    a = np.random.default_rng(2).normal(shift, 1, 6)
    comparison = evaluation.paired_difference(a, np.zeros(6))
    assert (comparison.low > 0 or comparison.high < 0) == (comparison.p_value < 0.05)


def test_one_pair_proves_nothing():
    """Con una semilla, por grande que sea la diferencia, el intervalo es infinito y p es 1."""
    assert evaluation.paired_difference([5.0], [1.0])[:5] == (4, -np.inf, np.inf, 1, 1)


def test_equal_runs_differ_by_nothing():
    """Redes iguales en todas las semillas: diferencia cero, sin duda y sin advertencias."""
    assert evaluation.paired_difference([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])[:4] == (0, 0, 0, 1)


def test_constant_difference_is_left_to_the_sign_test():
    """Una misma diferencia en 5 semillas no basta (p = 2 · 0,5⁵ = 0,0625); en 6, sí (0,03125)."""
    five, six = (evaluation.paired_difference(np.arange(n) + 2.0, np.arange(n)) for n in (5, 6))
    assert five[:4] == pytest.approx((2, -np.inf, np.inf, 0.0625))
    assert six[:4] == pytest.approx((2, 2, 2, 0.03125))


def test_rounding_of_float32_is_not_evidence():
    """Diferencias que solo varían por el redondeo de float32 cuentan como iguales."""
    a = np.float32([0.91, 0.92, 0.93, 0.94])
    b = np.float32([0.90, 0.91, 0.92, 0.93])
    assert np.ptp(a.astype(float) - b.astype(float)) > 0
    comparison = evaluation.paired_difference(a, b)
    assert comparison.low == -np.inf
    assert comparison.p_value == pytest.approx(2 * 0.5**4)


def test_paired_difference_keeps_missing_values_visible():
    """Una semilla que no llegó (None) deja la comparación sin resultado, en vez de esconderse."""
    assert np.isnan(evaluation.paired_difference([3, None, 4], [1, 2, 3])[:4]).all()


def test_paired_difference_needs_pairs():
    """Con distinto número de semillas no hay parejas."""
    with pytest.raises(ValueError, match=r"^b:"):
        evaluation.paired_difference([1.0, 2.0], [1.0])


def test_mcnemar_by_hand():
    """Ocho aciertos solo de la primera y uno solo de la segunda: p = 2 · (1 + 9) / 2⁹."""
    y = np.zeros(20, int)
    a, b = np.zeros(20, int), np.zeros(20, int)
    b[:8], a[8], a[9:12], b[9:12] = 1, 1, 1, 2  # las tres últimas las fallan ambas
    assert evaluation.mcnemar(y, a, b) == pytest.approx((8, 1, 20 / 512))
    assert evaluation.mcnemar(y, b, a) == pytest.approx((1, 8, 20 / 512))
    assert evaluation.mcnemar(y, a, a) == (0, 0, 1)


def test_standard_error_by_hand():
    """El 98 % en 10 000 imágenes tiene un error estándar de 0,14 puntos."""
    assert evaluation.standard_error(0.98, 10_000) == pytest.approx(0.0014)
    for accuracy, n in ((1.2, 10), (0.5, 0), (float("nan"), 10)):
        with pytest.raises(ValueError, match=r"^accuracy, n:"):
            evaluation.standard_error(accuracy, n)


def test_calibration_by_hand():
    """Dos tramos: 0,6 y 0,8 con un acierto (ECE 0,2), y 0,3 vacío; los bordes caen en el tramo de abajo."""
    probabilities = np.array([[0.6, 0.4], [0.2, 0.8], [0.5, 0.5]])
    result = evaluation.calibration(np.array([0, 0, 0]), probabilities, n_bins=2)
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
    result = evaluation.calibration(y, probabilities, n_bins)
    hits, confidence = probabilities.argmax(1) == y, probabilities.max(1)
    accuracy, mean_confidence = calibration_curve(hits, confidence, n_bins=n_bins)
    filled = result.bins[result.bins["count"] > 0]
    np.testing.assert_allclose(filled["accuracy"], accuracy)
    np.testing.assert_allclose(filled["confidence"], mean_confidence)
    assert result.bins["count"].sum() == 500
    assert result.ece == pytest.approx(np.average(np.abs(accuracy - mean_confidence), weights=filled["count"]))


def test_calibration_of_a_perfect_oracle_is_zero():
    """Certezas que aciertan siempre: ECE cero, aunque el redondeo de softmax pase de 1."""
    assert evaluation.calibration(np.array([1, 0]), np.float32([[0, 1.0000001], [1, 0]])).ece == 0


def test_calibration_counts_an_output_without_confidence():
    """Una imagen con todas sus salidas a cero, como puede darlas la sigmoide, cuenta en el primer tramo."""
    result = evaluation.calibration(np.array([1, 0]), np.array([[0.0, 0.0], [0.9, 0.1]]), n_bins=2)
    assert result.bins["count"].tolist() == [1, 1]
    assert result.ece == pytest.approx(0.05)  # (0 + 0,1) / 2


def test_calibration_rejects_what_is_not_a_probability():
    """Las salidas de una red lineal no son confianzas, y el error lo dice."""
    with pytest.raises(ValueError, match=r"^probabilities:.*2\.5"):
        evaluation.calibration(np.array([0, 1]), np.array([[2.5, 0], [0.1, 0.2]]))


def test_confusion_keeps_absent_classes():
    """Una clase sin imágenes ni predicciones conserva su fila y su columna."""
    cm = evaluation.confusion(np.array([0, 0, 2]), np.array([0, 2, 2]), 4)
    assert cm.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_worst_confusions_are_sorted_and_off_diagonal():
    """Ordena por frecuencia, sin la diagonal ni los ceros, y conserva el orden de filas en los empates."""
    table = evaluation.worst_confusions(np.array([[90, 3, 0], [7, 50, 3], [0, 0, 80]]), 10)
    assert table[["true", "predicted", "count"]].to_numpy().tolist() == [[1, 0, 7], [0, 1, 3], [1, 2, 3]]
    assert table["fraction"].tolist() == pytest.approx([7 / 60, 3 / 93, 3 / 60])
    assert len(evaluation.worst_confusions(np.array([[1, 2], [3, 4]]), 1)) == 1
    assert evaluation.worst_confusions(np.eye(3, dtype=int), 5).empty


def test_confident_errors_come_most_confident_first():
    """De los errores, primero el más seguro; un acierto, por seguro que sea, no entra."""
    probabilities = np.array([[0.6, 0.4], [0.99, 0.01], [0.1, 0.9], [0.3, 0.7]])
    y = np.array([1, 0, 0, 0])
    assert evaluation.confident_errors(y, probabilities, 2).tolist() == [2, 3]
    assert evaluation.confident_errors(y, probabilities, 9).tolist() == [2, 3, 0]
    assert evaluation.confident_errors(y, np.eye(2)[y], 9).size == 0


def test_temperature_undoes_a_known_one():
    """Si los logits de unas probabilidades exactas se multiplican por 3, la temperatura que los calibra es 3."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    y = np.array([rng.choice(4, p=p) for p in special.softmax(logits, axis=1)])
    assert evaluation.temperature(y, special.softmax(logits, axis=1)) == pytest.approx(1, abs=0.05)
    # 20 000 etiquetas sorteadas fijan la temperatura con un error típico del 1 %.
    assert evaluation.temperature(y, special.softmax(3 * logits, axis=1)) == pytest.approx(3, rel=0.05)

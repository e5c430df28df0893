"""Pruebas de tarea4.evaluation: contra cuentas a mano, scikit-learn, SciPy y el propio Keras."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from tarea4 import evaluation, models
from tarea4.training import SENSES, Run, train_seeds


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


def test_nothing_is_dropped_when_evaluating(small):
    """Ni dropout ni la media del lote: una red regularizada da lo que `predict` de Keras."""
    model = models.regularised((8,), dropout=0.5)
    model.layers[2].set_weights([np.full(8, value) for value in (2.0, 0.5, 0.1, 3.0)])
    np.testing.assert_allclose(
        evaluation.predict(model, small.x_val), model.predict(small.x_val, verbose=0), atol=1e-6
    )  # fmt: skip


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


def test_confusion_keeps_absent_classes():
    """Una clase sin imágenes ni predicciones conserva su fila y su columna."""
    cm = evaluation.confusion(np.array([0, 0, 2]), np.array([0, 2, 2]), 4)
    assert cm.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_worst_confusions_are_sorted_and_off_diagonal():
    """Ordena por frecuencia, sin la diagonal ni los ceros, y conserva el orden de filas en los empates."""
    table = evaluation.worst_confusions(np.array([[90, 3, 0], [7, 50, 3], [0, 0, 80]]), 10)
    assert table[["true", "predicted", "count"]].to_numpy().tolist() == [[1, 0, 7], [0, 1, 3], [1, 2, 3]]
    assert table["fraction"].tolist() == pytest.approx([7 / 60, 3 / 93, 3 / 60])
    assert table.index.tolist() == [0, 1, 2]
    tied = evaluation.worst_confusions(np.ones((9, 9), int) + np.eye(9, k=1, dtype=int), 72)
    assert tied["true"].tolist() == [*range(8), *(i for i in range(9) for j in range(9) if j not in (i, i + 1))]
    assert len(evaluation.worst_confusions(np.array([[1, 2], [3, 4]]), 1)) == 1
    assert evaluation.worst_confusions(np.eye(3, dtype=int), 5).empty


def test_confident_errors_come_most_confident_first():
    """De los errores, primero el más seguro; un acierto, por seguro que sea, no entra."""
    probabilities = np.array([[0.6, 0.4], [0.99, 0.01], [0.1, 0.9], [0.3, 0.7]])
    y = np.array([1, 0, 0, 0])
    assert evaluation.confident_errors(y, probabilities, 2).tolist() == [2, 3]
    assert evaluation.confident_errors(y, probabilities, 9).tolist() == [2, 3, 0]
    assert evaluation.confident_errors(y, np.eye(2)[y], 9).size == 0
    tied = np.tile([[0.2, 0.8], [0.3, 0.7]], (50, 1))
    assert evaluation.confident_errors(np.zeros(100, int), tied, 100).tolist() == [*range(0, 100, 2), *range(1, 100, 2)]


# Los tres sentidos llegan en épocas distintas, y la mejor de validación, la tercera, no es la primera ni la última.
HISTORY = {
    "loss": [0.9, 0.5, 0.2, 0.1, 0.05], "accuracy": [0.5, 0.7, 0.9, 0.95, 0.99],
    "train_loss": [0.8, 0.4, 0.1, 0.05, 0.04], "train_accuracy": [0.6, 0.8, 0.95, 0.97, 0.98],
    "val_loss": [0.7, 0.3, 0.25, 0.35, 0.6], "val_accuracy": [0.65, 0.88, 0.91, 0.9, 0.89],
    "seconds": [9.0, 1.0, 3.0, 2.0, 2.0],
}  # fmt: skip


class Sized:
    """Hace de red: solo cuenta parámetros."""

    def count_params(self):
        return 12


def run(seed, **changes):
    """Un entrenamiento con `HISTORY`, o con los cambios dados."""
    return Run(Sized(), seed, HISTORY | changes, seconds=20.0)


def test_the_chosen_epoch_is_that_of_the_least_validation_loss():
    """`best_epoch` y `best` salen de la validación, y no de la primera época, la última ni otra métrica."""
    assert run(0).best_epoch == 3
    assert {metric: run(0).best(metric) for metric in HISTORY} == {metric: each[2] for metric, each in HISTORY.items()}


def test_reaching_looks_at_each_sense_apart():
    """Cada sentido llega cuando llega; quien no llega espera una época más, a la mediana de sus segundos."""
    table = evaluation.reaching({"b": [run(7), run(2, loss=[1.0] * 5)], "a": [run(7)]}, 0.3, 0.9)
    assert table[["model", "seed", "sense"]].to_numpy().tolist() == [
        [name, seed, sense] for name, seed in (("b", 7), ("b", 2), ("a", 7)) for sense in SENSES
    ]
    assert table["epoch"].fillna(0).tolist() == [3, 3, 3, 0, 3, 3, 3, 3, 3]
    assert table["epochs_waited"].tolist() == [3, 3, 3, 6, 3, 3, 3, 3, 3]
    assert table["seconds_waited"].tolist() == [2.0 * epochs for epochs in table["epochs_waited"]]
    strict = evaluation.reaching({"a": [run(7)]}, 0.1, 0.95)
    assert strict["epoch"].fillna(0).tolist() == [4, 3, 0]
    both = evaluation.reaching({"a": [run(7)]}, 0.5, 0.9)  # la pérdida llega antes que la exactitud
    assert both["epoch"].tolist() == [3, 3, 3]


def test_validation_results_take_every_metric_at_the_chosen_epoch():
    """Por fila, un entrenamiento, en el orden dado; todas las métricas son las de la época elegida en validación."""
    other = run(2, val_loss=[0.9, 0.2, 0.5, 0.6, 0.7])
    table = evaluation.validation_results({"b": [run(7), other], "a": [run(7)]})
    assert table[["model", "seed", "best_epoch"]].to_numpy().tolist() == [["b", 7, 3], ["b", 2, 2], ["a", 7, 3]]
    assert table[["parameters", "epochs", "seconds"]].to_numpy().tolist() == [[12, 5, 20.0]] * 3
    for metric in (prefix + name for prefix in SENSES for name in ("loss", "accuracy")):
        assert table[metric].tolist() == [HISTORY[metric][2], other.history[metric][1], HISTORY[metric][2]]


def test_the_best_model_is_that_of_the_least_mean_validation_loss():
    """Ni la prueba, ni la mejor semilla, ni el orden deciden: decide la media de validación."""
    rows = [
        ("a", 0.30, 0.01),
        ("b", 0.35, 0.05),
        ("a", 0.30, 0.01),
        ("b", 0.05, 0.05),
        ("c", 0.01, 0.0),
        ("c", 0.9, 0.0),
    ]
    explored = pd.DataFrame(rows, columns=["model", "val_loss", "test_loss"])
    assert evaluation.best_model(explored) == "b"
    assert evaluation.best_model(explored.assign(val_loss=0.5).iloc[1:]) == "b"  # si empatan, el primero que llega

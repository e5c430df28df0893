"""Lo que Q2 calcula de las cinco parejas de salida y pérdida: contra fórmulas, cuentas a mano y redes de verdad."""

import numpy as np
import pandas as pd
import pytest
from samples import make_run
from scipy.special import expit, softmax

from tarea4 import models
from tarea4.evaluation import predict
from tarea4.report import q2
from tarea4.statistics import calibration
from tarea4.training import Run

SOFT, SIGMOID, LINEAR, SOFT_SQUARED, SIGMOID_SQUARED = q2.PAIRS
LOGITS = np.array([[2.0, -1.0, 0.5, 0.0], [0.0, 3.0, 1.0, -2.0], [-4.0, 1.0, 5.0, 0.3]])
Y = np.array([0, 2, 0])
ONE_HOT = np.eye(4)[Y]


def test_the_pairs_are_what_the_networks_are_trained_with():
    """Las tres primeras parejas son las de `plain`; las otras dos, la misma salida con error cuadrático."""
    for name, (output, loss) in q2.PAIRS.items():
        assert (loss == models.OUTPUT_LOSSES[output]) == (name in q2.MATCHED)
    assert {q2.PAIRS[name][1] for name in q2.SATURATING} == {"mean_squared_error"}
    assert [*q2.MATCHED, *q2.SATURATING] == list(q2.PAIRS)


def test_gradients_are_those_of_the_formulas():
    """La diferenciación automática de Keras da p - y en tres parejas y, en dos, p - y por la derivada de la salida."""
    found, p, s = q2.gradients(LOGITS, Y), softmax(LOGITS, axis=1), expit(LOGITS)
    jacobians = np.einsum("ni,ij->nij", p, np.eye(4)) - np.einsum("ni,nj->nij", p, p)
    expected = {
        SOFT: p - ONE_HOT, SIGMOID: s - ONE_HOT, LINEAR: LOGITS - ONE_HOT,
        SOFT_SQUARED: np.einsum("ni,nij->nj", p - ONE_HOT, jacobians),
        SIGMOID_SQUARED: (s - ONE_HOT) * s * (1 - s),
    }  # fmt: skip
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("k", [2, 10])
def test_only_the_squared_error_goes_quiet_when_the_network_is_sure_and_wrong(k):
    """Con la clase verdadera muy abajo, p - y no pasa de -1 y las otras dos se apagan, por la fórmula del ejercicio."""
    true_logits = np.array([-30.0, -8.0, 0.0, 2.0])
    found = q2.true_logit_gradients(true_logits, k)
    for name, table in found.items():
        assert table.index.tolist() == true_logits.tolist()
        assert abs(table.loc[-30.0, name]) < 1e-9 if name in q2.SATURATING else table.loc[-30.0, name] < -1 + 1e-9
    logits = np.column_stack([true_logits, np.zeros((4, k - 1))])
    p = softmax(logits, axis=1)
    bracket = (p[:, 0] - 1) * (1 - p[:, 0]) - (p[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(found[SOFT_SQUARED][SOFT_SQUARED], p[:, 0] * bracket, rtol=1e-9)


def test_the_worked_example_goes_from_logits_to_gradient():
    """Cada clase con su logit, su p, su y, su p - y y el gradiente, que es lo mismo."""
    example = q2.worked_example([0.0, np.log(3), 0.0], 2)
    assert example.to_dict("list") == {
        "Clase": [0, 1, 2], "Logit": ["0,000", "1,099", "0,000"], "p": ["0,200", "0,600", "0,200"],
        "y": ["0,000", "0,000", "1,000"], "p − y": ["0,200", "0,600", "−0,800"],
        "Gradiente": ["0,200", "0,600", "−0,800"],
    }  # fmt: skip


def test_learning_is_validation_epoch_by_epoch():
    """La exactitud de validación, en tanto por ciento, con una columna por semilla y las épocas desde 1."""
    runs = {"a": [make_run(7), make_run(3)], "b": [make_run(5, best=1)]}
    learned = q2.learning(runs)
    assert list(learned) == ["a", "b"]
    assert learned["a"].columns.tolist() == [7, 3]
    assert learned["a"].index.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(learned["a"][3], 100 * np.array(runs["a"][1].history["val_accuracy"]))


def test_the_first_epoch_compares_each_output_with_itself():
    """Cada cifra es la de la primera época de su pareja: softmax y sigmoide, con su pérdida y con error cuadrático."""
    values = {SOFT: 94.0, SIGMOID: 92.0, LINEAR: 10.0, SOFT_SQUARED: 93.0, SIGMOID_SQUARED: 75.0}
    learned = {name: pd.DataFrame({0: [v, 99.0], 1: [v + 1, 98.0]}, index=[1, 2]) for name, v in values.items()}
    assert q2.first_epoch(dict(reversed(learned.items()))).replace("\xa0", " ") == (
        "Tras la primera época, la exactitud de validación de softmax y sigmoide es, con la pérdida de cada una, "
        "94,50 ± 0,71 % y 92,50 ± 0,71 %; con error cuadrático, 93,50 ± 0,71 % y 75,50 ± 0,71 %."
    )


def fixed(bias: list[float], output: str = "softmax") -> Run:
    """Una red que da siempre lo mismo: los logits `bias`."""
    network = models.plain((2,), input_size=3, n_classes=len(bias), output=output)
    *weights, _ = network.get_weights()
    network.set_weights([*map(np.zeros_like, weights), np.array(bias, "float32")])
    return Run(network, 4, {}, 0.0)


def test_unread_counts_seeds_with_a_class_never_hit():
    """Cuentan las semillas con alguna clase presente sin aciertos, no las clases ni las que no están en `y`."""
    x = np.zeros((3, 3), "float32")
    always_one, always_two = fixed([0, 5, 0, 0]), fixed([0, 0, 5, 0])
    runs = {"a": [always_one, always_two, always_one], "b": [always_two]}
    said = "Semillas que dejan alguna clase de validación sin acertar ni una vez: "
    assert q2.unread(runs, x, np.array([1, 1, 1])) == said + "a, 1 de 3; b, 1 de 1."
    assert q2.unread(runs, x, np.array([2, 1, 2])) == said + "a, 3 de 3; b, 1 de 1."
    assert q2.unread(runs, x, np.array([2, 2, 2])) == said + "a, 2 de 3; b, 0 de 1."


def test_trust_is_the_calibration_of_each_network():
    """De cada red y semilla, su ECE y lo que le sobra de confianza en el tramo más seguro y en los demás."""
    x, y = np.zeros((4, 3), "float32"), np.array([0, 0, 0, 1])  # acierta 0,75
    sure, doubtful = fixed(np.log([0.95, 0.05]).tolist()), fixed(np.log([0.6, 0.4]).tolist())
    sigmoids = fixed([0.0, -np.log(3)], "sigmoid")  # 0,5 y 0,25: un 2/3 de confianza
    trusted = q2.trust({LINEAR: [sure], SIGMOID: [sigmoids], SOFT: [sure, doubtful]}, x, y, 5)
    assert trusted["model"].tolist() == [SOFT, SOFT, SIGMOID]
    assert trusted["ece"].tolist() == pytest.approx([0.2, 0.15, 0.75 - 2 / 3], abs=1e-6)
    assert trusted["sure"].tolist() == pytest.approx([0.2, np.nan, np.nan], abs=1e-6, nan_ok=True)
    assert trusted["unsure"].tolist() == pytest.approx([np.nan, -0.15, 2 / 3 - 0.75], abs=1e-6, nan_ok=True)
    assert trusted["found"][0].bins.equals(calibration(y, predict(sure.model, x), 5).bins)


def test_trust_weighs_each_bin_by_its_images(small):
    """Entre los dos trozos suman la confianza media menos la exactitud, cada uno según sus imágenes."""
    run = Run(models.plain((8,), **small.sizes), 0, {}, 0.0)
    run.model.layers[-1].set_weights([8 * w for w in run.model.layers[-1].get_weights()])
    probabilities = predict(run.model, small.x_test)
    [row] = q2.trust({SOFT: [run], SIGMOID: []}, small.x_test, small.y_test, 3).to_dict("records")
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == small.y_test
    top = confidence > 2 / 3
    assert 0 < top.sum() < len(top)
    for name, group in (("sure", top), ("unsure", ~top)):
        assert row[name] == pytest.approx(confidence[group].mean() - hits[group].mean(), abs=1e-6)


def test_trust_is_read_pair_by_pair():
    """Cada pareja, con lo suyo: primero el tramo más seguro y después los demás, en puntos."""
    rows = [
        (SOFT, 0, 0.02, -0.10, 0.3),
        (SOFT, 1, 0.04, -0.10, 0.1),
        (SIGMOID, 1, 0.50, 0.25, 0.1),
        (SIGMOID, 0, 0.50, 0.25, 0.1),
    ]
    trusted = pd.DataFrame(rows, columns=["model", "seed", "sure", "unsure", "ece"])
    assert q2.trust_read(trusted).replace("\xa0", " ") == (
        f"Confianza menos exactitud, en prueba: {SOFT}, 3,00 ± 1,41 puntos en el tramo más seguro y −10,00 ± 0,00 "
        f"puntos en los demás; {SIGMOID}, 50,00 ± 0,00 puntos en el tramo más seguro y 25,00 ± 0,00 puntos en los "
        "demás. En error de calibración, la segunda gana con 1 de 2 semillas."
    )

"""Lo que Q2 mide de la salida softmax: contra cuentas a mano y contra una red entrenada con imágenes reales."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from tarea4 import models
from tarea4.evaluation import predict
from tarea4.report import q2
from tarea4.training import Run, train

LOGITS = np.float32([[2, 0, 0], [0, 3, 1], [0, 1, 5], [1, 0, 0]])  # eligen 0, 1, 2 y 0


@pytest.fixture(scope="module")
def outputs(small) -> dict[str, np.ndarray]:
    """Salidas en validación de una red breve con softmax, y sus logits."""
    model = train(models.plain((16,), **small.sizes), small, epochs=2).model
    linear = models.plain((16,), output="linear", **small.sizes)
    linear.set_weights(model.get_weights())
    return {"softmax": predict(model, small.x_val), "lineal": predict(linear, small.x_val)}


def test_only_softmax_gives_a_distribution(outputs):
    """En una red real, softmax suma uno en cada imagen y sus logits no."""
    ranges = q2.output_ranges({name: [values, values] for name, values in outputs.items()})
    assert ranges["distribution"].to_dict() == {"softmax": True, "lineal": False}
    assert ranges.loc["lineal", "min_sum"] == pytest.approx(outputs["lineal"].sum(axis=1).min(), rel=1e-5)  # float32


def test_output_ranges_by_hand():
    """Sumar uno no basta si hay una salida negativa, ni ser positivas si no suman uno; cuentan todas las redes."""
    arrays = {"negativa": [[[1.5, -0.5]]], "corta": [[[0.5, 0.5]], [[0.2, 0.4]]], "buena": [[[0.3, 0.7], [1, 0]]]}
    ranges = q2.output_ranges({name: list(map(np.array, values)) for name, values in arrays.items()})
    assert ranges["distribution"].tolist() == [False, False, True]
    assert ranges.loc["corta", ["min", "max", "min_sum", "max_sum"]].tolist() == pytest.approx([0.2, 0.5, 0.6, 1])


def test_confidences_are_distributions(small):
    """Softmax, tal cual; la sigmoide, dividida entre su suma; cada una, de su red y de sus imágenes."""
    linear = models.plain((5,), output="linear", **small.sizes)
    runs = {}
    for name, output in q2.OUTPUTS.items():
        network = models.plain((5,), output=output, **small.sizes)
        network.set_weights(linear.get_weights())
        runs[name] = [Run(network, 0, {}, 0.0)]
    found, logits = q2.confidences(runs, small.x_test[:20]), predict(linear, small.x_test[:20])
    assert list(found) == ["softmax", "sigmoide normalizada"]
    np.testing.assert_allclose(found["softmax"][0], softmax(logits, axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        found["sigmoide normalizada"][0], expit(logits) / expit(logits).sum(axis=1, keepdims=True), rtol=1e-5
    )


def test_softmax_keeps_every_choice(outputs):
    """En una red real, softmax deja en cabeza la clase de mayor logit en todas las imágenes; otro orden, no."""
    assert q2.choices_kept(outputs["lineal"], outputs["softmax"]) == len(outputs["softmax"])
    assert q2.choices_kept(-outputs["lineal"], outputs["softmax"]) == 0


def test_choices_differing_by_rounding_are_the_same():
    """Dos probabilidades que solo difieren en el redondeo de float32 no cambian la clase; dos distintas, sí."""
    probabilities = np.float32([[0.5, 0.5000001], [0.4, 0.6]])
    assert q2.choices_kept(np.array([[1.0, 0.9], [1.0, 0.9]]), probabilities) == 1


def test_gradient_is_p_minus_y(outputs, small):
    """El gradiente de la entropía cruzada es p - y; un paso grande lo estima mal, y la comprobación lo nota."""
    errors = q2.gradient_errors(outputs["lineal"], small.y_val)
    assert list(errors) == ["diferenciación automática", "diferencias centrales"]
    assert errors["diferenciación automática"] < 1e-12  # unas decenas de redondeos de float64
    assert 1e-13 < errors["diferencias centrales"] < 1e-6  # redondeo entre el paso: 1e-15 / 1e-5, con holgura
    rough = q2.gradient_errors(outputs["lineal"], small.y_val, step=1.0)
    assert rough["diferenciación automática"] < 1e-12
    assert rough["diferencias centrales"] > 1e-3


def test_wrong_images_by_hand():
    """Por semilla, solo los errores, el más seguro primero, con p - y en la clase verdadera y en la más probable."""
    y = np.array([1, 1, 0, 0])
    wrong = q2.wrong_by_seed([LOGITS, -LOGITS], y, (7, 4))
    assert wrong["seed"].tolist() == [7, 7, 4, 4]
    assert set(wrong[wrong["seed"] == 4]["image"]) == {1, 3}
    first = wrong[wrong["seed"] == 7]
    assert first[["image", "true", "likeliest"]].to_numpy().tolist() == [[2, 0, 2], [0, 1, 0]]
    p = softmax(LOGITS.astype(float), axis=1)
    columns = ["p_true", "p_likeliest", "gradient_true", "gradient_likeliest"]
    assert wrong.columns.tolist() == ["image", "true", "likeliest", *columns, "seed"]
    assert first[columns].to_numpy().tolist() == [
        pytest.approx([p[2, 0], p[2, 2], p[2, 0] - 1, p[2, 2]]),
        pytest.approx([p[0, 1], p[0, 0], p[0, 1] - 1, p[0, 0]]),
    ]

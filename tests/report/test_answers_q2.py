"""Pruebas de tarea4.answers.q2: contra cuentas a mano y contra una red entrenada con imágenes reales."""

import numpy as np
import pandas as pd
import pytest

from tarea4 import models
from tarea4.evaluation import predict
from tarea4.report import q2
from tarea4.training import train

LOGITS = np.float32([[2, 0, 0], [0, 3, 1], [0, 1, 5], [1, 0, 0]])  # eligen 0, 1, 2 y 0


@pytest.fixture(scope="module")
def outputs(small) -> dict[str, np.ndarray]:
    """Salidas en validación de una red breve con softmax, y sus logits."""
    options = {"input_size": small.input_size, "n_classes": small.n_classes}
    model = train(models.plain((16,), **options), small, epochs=2).model
    linear = models.plain((16,), output="linear", **options)
    linear.set_weights(model.get_weights())
    return {"softmax": predict(model, small.x_val), "lineal": predict(linear, small.x_val)}


def measured(**accuracies: list[float]) -> pd.DataFrame:
    """Tabla de resultados con la misma exactitud en validación y en prueba."""
    return pd.DataFrame(
        {"model": name, "seed": seed, "val_accuracy": value, "test_accuracy": value}
        for name, values in accuracies.items()
        for seed, value in enumerate(values)
    )


def test_only_softmax_gives_a_distribution(outputs):
    """En una red real, softmax suma uno en cada imagen y sus logits no."""
    ranges = q2.output_ranges({name: [values, values] for name, values in outputs.items()})
    assert ranges["distribution"].to_dict() == {"softmax": True, "lineal": False}
    assert ranges.loc["lineal", "min_sum"] == pytest.approx(outputs["lineal"].sum(axis=1).min(), rel=1e-5)  # float32


def test_output_ranges_by_hand():
    """Sumar uno no basta si hay una salida negativa, ni ser positivas si no suman uno."""
    arrays = {"negativa": [[1.5, -0.5]], "corta": [[0.5, 0.5], [0.2, 0.4]], "buena": [[0.3, 0.7], [1, 0]]}
    ranges = q2.output_ranges({name: [np.array(values)] for name, values in arrays.items()})
    assert ranges["distribution"].tolist() == [False, False, True]
    assert ranges.loc["corta", ["min", "max", "min_sum", "max_sum"]].tolist() == pytest.approx([0.2, 0.5, 0.6, 1])


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
    assert errors["diferenciación automática"] < 1e-12  # unas decenas de redondeos de float64
    assert errors["diferencias centrales"] < 1e-6  # redondeo entre el paso: 1e-15 / 1e-5, con holgura
    assert q2.gradient_errors(outputs["lineal"], small.y_val, step=1.0)["diferencias centrales"] > 1e-3


def test_wrong_images_by_hand():
    """Solo los errores, el más seguro primero, con p - y en la clase verdadera y en la más probable."""
    wrong = q2.wrong_images(LOGITS, np.array([1, 1, 0, 0]))
    assert wrong[["image", "true", "likeliest"]].to_numpy().tolist() == [[2, 0, 2], [0, 1, 0]]
    exponentials = np.exp(LOGITS[2].astype(float))
    p = exponentials / exponentials.sum()
    expected = [p[0], p[2], p[0] - 1, p[2]]
    assert wrong.iloc[0, 3:].tolist() == pytest.approx(expected)
    assert wrong.columns[3:].tolist() == ["p_true", "p_likeliest", "gradient_true", "gradient_likeliest"]


def test_answer_follows_the_results():
    """El veredicto y el texto cambian cuando las salidas no son una distribución o la clase elegida cambia."""
    table = measured(softmax=[0.97, 0.98, 0.97], sigmoide=[0.93, 0.945, 0.935])
    arrays = {"softmax": [np.array([[0.3, 0.7]])], "sigmoide": [np.array([[0.9, 0.9]])]}
    answer = q2.answer(q2.output_ranges(arrays), 3, 3, table, {"softmax": [0.01]})
    assert answer.verdict == "da una distribución: softmax sí, sigmoide no; el argmax no cambia"
    assert "**Softmax da una distribución de probabilidad y no cambia la clase elegida.**" in answer.text
    assert "suman: 1,0000 con softmax; 1,8000 con sigmoide." in answer.text
    assert "La salida softmax tiene mayor exactitud en prueba que la sigmoide" in answer.text
    arrays = {"softmax": arrays["sigmoide"], "sigmoide": arrays["softmax"]}
    answer = q2.answer(q2.output_ranges(arrays), 2, 3, table, {"softmax": [0.01]})
    assert answer.verdict == "da una distribución: softmax no, sigmoide sí; el argmax cambia"
    assert "**Softmax no da una distribución de probabilidad y cambia la clase elegida.**" in answer.text


def test_claims_follow_the_results():
    """Cada desenlace sale de lo medido: la comparación con cada salida y la clase que sube en los errores."""
    wrong = q2.wrong_images(LOGITS, np.array([1, 1, 0, 0]))
    values = {"softmax": [0.97, 0.98, 0.97], "sigmoide": [0.93, 0.945, 0.935], "lineal": [0.98, 0.991, 0.981]}
    claims = q2.claims(measured(**values), wrong)
    assert [claim.outcome for claim in claims] == ["se confirma", "se refuta", "se refuta"]
    assert claims[2].evidence.startswith("En 2 de 2 errores")
    equal = q2.claims(measured(softmax=[0.97, 0.98], lineal=[0.98, 0.97]), wrong[:0])
    # sin errores, la clase más probable es siempre la verdadera
    assert [claim.outcome for claim in equal] == ["estas semillas no lo deciden", "se confirma"]

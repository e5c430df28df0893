"""Q1: cuál de los dos modelos es preferible. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

from typing import Literal

import numpy as np
import pandas as pd

from tarea4.report.claims import OUTCOMES, Answer, Claim
from tarea4.report.parameters import Regularised, Sizes, Thresholds, meaning
from tarea4.report.words import epochs_reaching, mean_and_spread, number, outcome, p_value, plural, verdict
from tarea4.statistics import compare, mcnemar, standard_error
from tarea4.training import SENSES


class Parameters(Regularised, Thresholds):
    """Los parámetros de Q1."""

    model: Literal["ambos", "simple", "regularizado"] = meaning('modelos: "ambos", "simple" o "regularizado"')
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta del modelo simple")
    hidden_sizes_regularised: Sizes = meaning("unidades de cada capa oculta del modelo regularizado")


def answer(measured: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> Answer:
    """Cuál de los dos modelos es preferible: el de menor pérdida de validación, si la diferencia se sostiene."""
    trained = set(measured["model"])
    if not {name, other} <= trained:
        accuracy = mean_and_spread(measured["val_accuracy"], 2, 100)
        text = f"Solo se ha entrenado el modelo {trained.pop()}: {accuracy} % de exactitud en validación."
        return Answer("sin comparación", f"{text} Para compararlo con el otro, `model` debe ser «ambos».")
    loss = compare(measured, name, other, "val_loss")
    preferred = {"mejor": name, "peor": other}.get(outcome(loss, lower_is_better=True))
    choice = f"es preferible el modelo {preferred}" if preferred else "ninguno es preferible"
    sentences = [
        verdict(f"el modelo {name}", f"el {other}", metric, compare(measured, name, other, column), where)
        for metric, column, where in (("loss", "val_loss", "en validación"), ("accuracy", "test_accuracy", "en prueba"))
    ]
    return Answer(choice, " ".join([f"**Según estas semillas, {choice}.**", *sentences]))


def claims(reached: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> list[Claim]:
    """Si el modelo regularizado llega con más facilidad a los umbrales y si «agiliza el proceso de optimización»."""
    if not {name, other} <= set(reached["model"]):
        return [Claim("El modelo regularizado es preferible", "Solo se ha entrenado un modelo.", "sin comparación")]

    def judged(column: str, sense: str) -> str:
        rows = reached[reached["sense"] == sense]
        return OUTCOMES[outcome(compare(rows, name, other, column), lower_is_better=True)]

    def described(column: str, sense: str, model: str) -> str:
        rows = reached[(reached["sense"] == sense) & (reached["model"] == model)]
        if column == "epoch":
            return epochs_reaching(rows["epoch"])
        at_least = "al menos " if rows["epoch"].isna().any() else ""
        return f"{at_least}{mean_and_spread(rows[column], 1)} s"

    easier = [
        Claim(
            f"Con el regularizado es más fácil llegar a los umbrales ({label})",
            f"El {name} {described('epoch', sense, name)}; el {other} {described('epoch', sense, other)}.",
            judged("epochs_waited", sense),
        )
        for sense, label in SENSES.items()
    ]
    seconds = [described("seconds_waited", "", model) for model in (name, other)]
    quicker = Claim(
        "El regularizado «agiliza el proceso de optimización»",
        f"Hasta los umbrales de entrenamiento, el {name} tarda {seconds[0]}; el {other}, {seconds[1]}.",
        judged("seconds_waited", ""),
    )
    return [*easier, quicker]


def disagreement(y: np.ndarray, predictions: dict[str, np.ndarray]) -> str:
    """Las imágenes que solo acierta una de dos redes ya elegidas, con la prueba de McNemar y el error estándar.

    `predictions` lleva, por modelo, las clases (n,) que predice para las mismas imágenes de prueba.
    """
    if len(predictions) < 2:
        return "Para contar las imágenes que solo acierta uno de los modelos hacen falta los dos."
    (name, ours), (other, theirs) = predictions.items()
    test = mcnemar(y, ours, theirs)
    errors = [100 * standard_error(float(np.mean(found == y)), len(y)) for found in (ours, theirs)]
    return (
        f"Con esta semilla, solo el modelo {name} acierta {plural(test.b, 'imagen', 'imágenes')}, y solo el {other}, "
        f"{plural(test.c, 'imagen', 'imágenes')} (McNemar, {p_value(test.p_value)}). Sobre {number(len(y), 0)} "
        f"imágenes, el error estándar de la exactitud es de {number(max(errors), 2)} puntos."
    )

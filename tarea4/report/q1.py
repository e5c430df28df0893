"""Q1: cuál de los dos modelos es preferible. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

from typing import Literal

import numpy as np
import pandas as pd

from tarea4.report.claims import OUTCOMES, Answer, Claim, judged
from tarea4.report.parameters import Regularised, Sizes, Thresholds, meaning
from tarea4.report.words import epochs_reaching, mean_and_spread, number, outcome, plural
from tarea4.statistics import compare, mcnemar, standard_error
from tarea4.training import SENSES


class Parameters(Regularised, Thresholds):
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
    pair = (name, f"el modelo {name}"), (other, f"el {other}")
    (loss, found), (accuracy, _) = (judged(measured, column, *pair) for column in ("val_loss", "test_accuracy"))
    preferred = {"mejor": name, "peor": other}.get(found)
    choice = f"es preferible el modelo {preferred}" if preferred else "ninguno es preferible"
    return Answer(choice, f"**Según estas semillas, {choice}.** {loss} {accuracy}")


def claims(reached: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> list[Claim]:
    """Si el modelo regularizado llega con más facilidad a los umbrales y si «agiliza el proceso de optimización»."""
    if not {name, other} <= set(reached["model"]):
        return [Claim("El modelo regularizado es preferible", "Solo se ha entrenado un modelo.", "sin comparación")]
    claims, by_model = [], reached.groupby(["sense", "model"])
    arrives, seconds = by_model["epoch"].agg(epochs_reaching), by_model["seconds_waited"].agg(mean_and_spread, 1)
    at_least = by_model["epoch"].agg(lambda epochs: "al menos " if epochs.isna().any() else "")
    for sense, label in SENSES.items():
        paired = compare(reached[reached["sense"] == sense], name, other, "epochs_waited")
        statement = f"Con el regularizado es más fácil llegar a los umbrales ({label})"
        evidence = f"El {name} {arrives[sense, name]}; el {other} {arrives[sense, other]}."
        claims.append(Claim(statement, evidence, OUTCOMES[outcome(paired, lower_is_better=True)]))
    takes = at_least[""] + seconds[""] + " s"
    evidence = f"Hasta los umbrales de entrenamiento, el {name} tarda {takes[name]}; el {other}, {takes[other]}."
    paired = compare(reached[reached["sense"] == ""], name, other, "seconds_waited")
    result = OUTCOMES[outcome(paired, lower_is_better=True)]
    return [*claims, Claim("El regularizado «agiliza el proceso de optimización»", evidence, result)]


def disagreement(y: np.ndarray, predictions: dict[str, np.ndarray]) -> str:
    """Las imágenes de prueba que acierta una sola de dos redes ya elegidas, por las clases (n,) que dan."""
    if len(predictions) < 2:
        return "Para contar las imágenes que solo acierta uno de los modelos hacen falta los dos."
    (name, ours), (other, theirs) = predictions.items()
    test = mcnemar(y, ours, theirs)
    p_value = "p < 0,0001" if test.p_value < 1e-4 else f"p = {number(test.p_value)}"
    error = max(standard_error(float(np.mean(found == y)), len(y)) for found in (ours, theirs))
    return (
        f"Con esta semilla, solo el modelo {name} acierta {plural(test.b, 'imagen', 'imágenes')}, y solo el {other}, "
        f"{plural(test.c, 'imagen', 'imágenes')} (McNemar, {p_value}). Sobre {number(len(y), 0)} "
        f"imágenes, el error estándar de la exactitud es de {number(100 * error, 2)} puntos."
    )

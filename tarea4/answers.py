"""Las respuestas a Q1-Q5 y su contraste con lo que se afirmó en 2020, redactadas a partir de lo medido."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from tarea4.evaluation import Comparison, paired_difference
from tarea4.report import SENSES, epochs_reaching, mean_and_spread, outcome, verdict
from tarea4.training import Run

OUTCOMES = {"mejor": "se confirma", "peor": "se refuta", "sin diferencia": "estas semillas no lo deciden"}


class Answer(NamedTuple):
    """Una respuesta: el veredicto en pocas palabras, que no depende de la máquina, y el texto con sus cifras."""

    verdict: str
    text: str


class Claim(NamedTuple):
    """Una afirmación de 2020, lo que se mide para comprobarla y el desenlace."""

    statement: str
    evidence: str
    outcome: str


def compare(measured: pd.DataFrame, name: str, other: str, metric: str) -> Comparison:
    """Diferencia emparejada por semilla entre dos modelos, de una columna de `tarea4.evaluation.results`."""
    by_seed = measured.pivot(index="seed", columns="model", values=metric)
    return paired_difference(by_seed[name], by_seed[other])


def answer_q1(measured: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> Answer:
    """Cuál de los dos modelos es preferible: el de menor pérdida de validación, si la diferencia se sostiene."""
    trained = set(measured["model"])
    if not {name, other} <= trained:
        accuracy = mean_and_spread(measured["val_accuracy"], 2, 100)
        text = f"Solo se ha entrenado el modelo {trained.pop()}: {accuracy} % de exactitud en validación."
        return Answer("sin comparación", f"{text} Para compararlo con el otro, `model` debe ser «ambos».")
    loss = compare(measured, name, other, "val_loss")
    preferred = {"mejor": name, "peor": other}.get(outcome(loss, lower_is_better=True))
    choice = f"Es preferible el modelo {preferred}" if preferred else "Con estas semillas, ninguno es preferible"
    sentences = [
        verdict(f"el modelo {name}", f"el {other}", metric, compare(measured, name, other, column), where)
        for metric, column, where in (("loss", "val_loss", "en validación"), ("accuracy", "test_accuracy", "en prueba"))
    ]
    return Answer(f"preferible: {preferred or 'ninguno'}", " ".join([f"**{choice}.**", *sentences]))


def reaching(runs_by_name: dict[str, list[Run]], max_loss: float, min_accuracy: float) -> pd.DataFrame:
    """En qué época cumple cada entrenamiento los dos umbrales, en cada sentido de la pérdida.

    Columnas: `model`, `seed`, `sense` (clave de `SENSES`), `epoch` (None si no los cumple), `epochs_waited` y
    `seconds_waited`: hasta cumplirlos o, si no, una época más de las que duró, que es una cota inferior.
    """
    rows = []
    for name, runs in runs_by_name.items():
        for run, prefix in itertools.product(runs, SENSES):
            epoch = run.epoch_reaching(max_loss, min_accuracy, prefix)
            waited = epoch or len(run.history["loss"]) + 1
            # La mediana deja fuera la compilación, que solo paga la primera época.
            rows.append((name, run.seed, prefix, epoch, waited, waited * float(np.median(run.history["seconds"]))))
    columns = ["model", "seed", "sense", "epoch", "epochs_waited", "seconds_waited"]
    return pd.DataFrame(rows, columns=columns).astype({"epoch": object})


def claims_q1(reached: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> list[Claim]:
    """Si el modelo regularizado llega con más facilidad a los umbrales y si «agiliza el proceso de optimización»."""

    def judged(column: str, sense: str) -> str:
        rows = reached[reached["sense"] == sense]
        return OUTCOMES[outcome(compare(rows, name, other, column), lower_is_better=True)]

    def described(column: str, sense: str, model: str) -> str:
        rows = reached[(reached["sense"] == sense) & (reached["model"] == model)]
        if column == "epoch":
            return epochs_reaching(list(rows["epoch"]))
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

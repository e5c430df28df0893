"""Lo que comparten las respuestas de los cinco capítulos."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from tarea4.evaluation import SENSES, Comparison, paired_difference
from tarea4.report import outcome, plural, verdict
from tarea4.training import Run

AGAINST_BASE = {
    "mejor": "mejora al de partida",
    "peor": "es peor que el de partida",
    "sin diferencia": "no se distingue del de partida",
}
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


def reaching(runs_by_name: dict[str, list[Run]], max_loss: float, min_accuracy: float) -> pd.DataFrame:
    """En qué época cumple cada entrenamiento los dos umbrales, en cada sentido de la pérdida.

    Columnas: `model`, `seed`, `sense` (clave de `SENSES`), `epoch` (NA si no los cumple), `epochs_waited` y
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
    return pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})


def best_model(explored: pd.DataFrame) -> str:
    """El modelo con menor pérdida de validación, media de sus semillas."""
    return explored.groupby("model", sort=False)["val_loss"].mean().idxmin()


def answer_best(measured: pd.DataFrame, best: str, base: str, n_tried: int, asked: str) -> Answer:
    """El modelo elegido en validación entre los probados, y el pedido, comparados con el modelo del que se partía."""
    sentences = []
    if asked != best:
        comparison = compare(measured, asked, best, "val_loss")
        sentences = [verdict(f"el modelo pedido ({asked})", "el mejor", "loss", comparison, "en validación")]
    tried = plural(n_tried, "modelo probado", "modelos probados")
    if best == base:
        return Answer("es el de partida", " ".join([f"**El mejor de {tried} es el de partida: {best}.**", *sentences]))
    loss, accuracy = (compare(measured, best, base, metric) for metric in ("val_loss", "test_accuracy"))
    sentences = [
        f"**El mejor de {tried} es: {best}.**",
        verdict("este modelo", f"el de partida ({base})", "loss", loss, "en validación"),
        verdict("este modelo", "el de partida", "accuracy", accuracy, "en prueba"),
        *sentences,
    ]
    return Answer(AGAINST_BASE[outcome(loss, lower_is_better=True)], " ".join(sentences))

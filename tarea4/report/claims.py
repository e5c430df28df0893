"""Lo que comparten las respuestas de los cinco capítulos."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tarea4.report.words import Outcome, outcome, plural, verdict
from tarea4.statistics import compare

WHERE = {"val": "en validación", "test": "en prueba"}
OUTCOMES = {"mejor": "se confirma", "peor": "se refuta", "sin diferencia": "estas semillas no lo deciden"}
AGAINST_BASE = {"mejor": "mejora al", "peor": "es peor que el", "sin diferencia": "no se distingue del"}


class Answer(NamedTuple):
    verdict: str  # en pocas palabras, que no dependen de la máquina
    text: str  # con sus cifras


class Claim(NamedTuple):
    statement: str  # lo que se afirmó en 2020
    evidence: str  # lo que se mide para comprobarlo
    outcome: str


def judged(measured: pd.DataFrame, column: str, model: tuple[str, str], other: tuple[str, str]) -> tuple[str, Outcome]:
    """Frase y desenlace de comparar dos modelos, cada uno con cómo se le llama, en una columna: «val_loss»."""
    split, metric = column.split("_")
    paired = compare(measured, model[0], other[0], column)
    return verdict(model[1], other[1], metric, paired, WHERE[split]), outcome(paired, lower_is_better=metric == "loss")


def claimed(statement: str, measured: pd.DataFrame, column: str, *models: tuple[str, str]) -> Claim:
    evidence, found = judged(measured, column, *models)
    return Claim(statement, evidence, OUTCOMES[found])


def answer_best(measured: pd.DataFrame, best: str, base: str, n_tried: int, asked: str) -> Answer:
    """El modelo elegido en validación entre los probados, y el pedido, comparados con el modelo del que se partía."""
    tried, names = plural(n_tried, "modelo probado", "modelos probados"), (asked, f"el modelo pedido ({asked})")
    against_best = "" if asked == best else " " + judged(measured, "val_loss", names, (best, "el mejor"))[0]
    if best == base:
        return Answer("es el de partida", f"**El mejor de {tried} es el de partida: {best}.**{against_best}")
    loss, found = judged(measured, "val_loss", (best, "este modelo"), (base, f"el de partida ({base})"))
    accuracy, _ = judged(measured, "test_accuracy", (best, "este modelo"), (base, "el de partida"))
    text = f"**El mejor de {tried} es: {best}.** {loss} {accuracy}{against_best}"
    return Answer(f"{AGAINST_BASE[found]} de partida", text)


def holm(p_values: Sequence[float]) -> list[float]:
    """Los valores p de una familia, en su orden, corregidos (S. Holm, Scandinavian Journal of Statistics 6(2), 1979).

    El menor de n se multiplica por n, el siguiente por n - 1, y así hasta el mayor; ninguno baja del anterior.
    """
    scaled = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    return np.minimum(np.maximum.accumulate(scaled), 1)[np.argsort(np.argsort(p_values))].tolist()

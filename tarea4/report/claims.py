"""Lo que comparten las respuestas de los cinco capítulos."""

from typing import NamedTuple

import pandas as pd

from tarea4.report.words import outcome, plural, verdict
from tarea4.statistics import compare

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

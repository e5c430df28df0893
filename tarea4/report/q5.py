"""Q5: el mejor modelo con otras capas y otros tamaños. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tarea4.evaluation import best_model
from tarea4.report.claims import Claim
from tarea4.report.parameters import Epochs, Networks, Regularised, Studied, meaning
from tarea4.report.words import mean_and_spread, number, outcome, plural
from tarea4.statistics import paired_difference


class Parameters(Regularised, Studied):
    """Los parámetros de Q5."""

    candidates: Networks = meaning("redes que se prueban con esa regularización; la primera, de partida")
    epochs_best: Epochs = meaning("épocas de los dos mejores ensayos del estudio")


def claims(measured: pd.DataFrame, best: str, old: str) -> list[Claim]:
    """Si las cifras de prueba de 2020 son las que da su receta, y si el modelo de hoy las mejora."""
    claims = []
    for metric, figure_2020, lower_is_better in (("test_accuracy", 0.9752, False), ("test_loss", 0.0800, True)):
        name = {"test_accuracy": "exactitud", "test_loss": "pérdida"}[metric]
        values = {model: measured.loc[measured["model"] == model, metric] for model in (old, best)}
        low, high = values[old].min(), values[old].max()
        inside = low <= figure_2020 <= high
        claims.append(
            Claim(
                f"Aquella red da {name} {number(figure_2020)} en prueba",
                f"Con {plural(len(values[old]), 'semilla')} va de {number(low)} a {number(high)}.",
                "dentro de lo que da la semilla" if inside else "fuera de lo que da la semilla",
            )
        )
        difference = paired_difference(values[best], np.full(len(values[best]), figure_2020))
        claims.append(
            Claim(
                f"El mejor modelo da {name} {number(figure_2020)} en prueba",
                f"El de hoy da {mean_and_spread(values[best])}, de {number(values[best].min())} a "
                f"{number(values[best].max())}.",
                {"mejor": "superado", "peor": "no alcanzado"}.get(
                    outcome(difference, lower_is_better=lower_is_better), "no se distinguen"
                ),
            )
        )
    return claims


def best_affordable(explored: pd.DataFrame, models: Iterable[str]) -> str:
    """El mejor de unos modelos que no pasa de los 34 775 parámetros de «Try 02»; si todos pasan, el menor."""
    among = explored[explored["model"].isin(list(models))]
    return best_model(among[among["parameters"] <= max(34_775, among["parameters"].min())])


def split_effect(last: pd.DataFrame, stratified: pd.DataFrame) -> str:
    """Cuánto cambian las cifras de una red según qué imágenes validan: las últimas o un reparto estratificado."""
    sentences = []
    for name, measured in (("las últimas imágenes", last), ("el reparto estratificado", stratified)):
        validation, test = (measured[f"{split}_accuracy"] for split in ("val", "test"))
        sentences.append(
            f"Con {name}, la exactitud es {mean_and_spread(validation, 2, 100)} % en validación y "
            f"{mean_and_spread(test, 2, 100)} % en prueba."
        )
    points = 100 * (last["val_accuracy"].mean() - stratified["val_accuracy"].mean())
    return " ".join([*sentences, f"La elección mueve la validación {number(points, 2)} puntos."])

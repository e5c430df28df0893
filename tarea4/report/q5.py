"""Q5: el mejor modelo con otras capas y otros tamaños. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

import pandas as pd

from tarea4.evaluation import best_model
from tarea4.report.claims import Claim
from tarea4.report.parameters import Epochs, Networks, Regularised, Studied, meaning
from tarea4.report.words import mean_and_spread, number, outcome, plural
from tarea4.statistics import paired_difference


class Parameters(Regularised, Studied):
    candidates: Networks = meaning("redes que se prueban con esa regularización; la primera, de partida")
    epochs_best: Epochs = meaning("épocas de los dos mejores ensayos del estudio")


def claims(measured: pd.DataFrame, best: str, old: str) -> list[Claim]:
    """Si las cifras de prueba de 2020 son las que da su receta, y si el modelo de hoy las mejora."""
    claims, beaten = [], {"mejor": "superado", "peor": "no alcanzado", "sin diferencia": "no se distinguen"}
    for metric, name, figure in (("test_accuracy", "exactitud", 0.9752), ("test_loss", "pérdida", 0.0800)):
        then, today = (measured.loc[measured["model"] == model, metric] for model in (old, best))
        spread, spread_today = (f"de {number(values.min())} a {number(values.max())}" for values in (then, today))
        inside = "dentro" if then.min() <= figure <= then.max() else "fuera"
        paired = paired_difference(today, [figure] * len(today))
        found = beaten[outcome(paired, lower_is_better=metric == "test_loss")]
        gives, seeds = f"da {name} {number(figure)} en prueba", plural(len(then), "semilla")
        claims += [
            Claim(f"Aquella red {gives}", f"Con {seeds} va {spread}.", f"{inside} de lo que da la semilla"),
            Claim(f"El mejor modelo {gives}", f"El de hoy da {mean_and_spread(today)}, {spread_today}.", found),
        ]
    return claims


def best_affordable(explored: pd.DataFrame, models: dict[str, object]) -> str:
    """El mejor de unos modelos que no pasa de los 34 775 parámetros de «Try 02»; si todos pasan, el menor."""
    among = explored[explored["model"].isin(list(models))]
    return best_model(among[among["parameters"] <= max(34_775, among["parameters"].min())])


def split_effect(last: pd.DataFrame, stratified: pd.DataFrame) -> str:
    """Cuánto cambian las cifras de una red según qué imágenes validan: las últimas o un reparto estratificado."""
    sentences = []
    for name, measured in (("las últimas imágenes", last), ("el reparto estratificado", stratified)):
        val, test = (mean_and_spread(measured[f"{split}_accuracy"], 2, 100) for split in ("val", "test"))
        sentences.append(f"Con {name}, la exactitud es {val} % en validación y {test} % en prueba.")
    points = 100 * (last["val_accuracy"].mean() - stratified["val_accuracy"].mean())
    return " ".join([*sentences, f"La elección mueve la validación {number(points, 2)} puntos."])

"""La respuesta a Q5: el mejor modelo con otras capas y otros tamaños."""

from collections.abc import Iterable
from datetime import date

import numpy as np
import pandas as pd
from IPython.display import HTML

from tarea4.answers.common import Claim, best_model
from tarea4.evaluation import paired_difference
from tarea4.report import mean_and_spread, number, outcome, plural, table
from tarea4.search_plots import days


def claims_q5(measured: pd.DataFrame, best: str, old: str) -> list[Claim]:
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


def beyond_summary(further: pd.DataFrame) -> str:
    """Cuándo y con qué se hicieron los resultados guardados por `tarea4.beyond`, en una frase."""
    if further.empty:
        return "No hay resultados guardados: `make mas-alla` los hace."
    versions = {f"Keras {each['keras']} y TensorFlow {each['tensorflow']}" for each in further["versions"]}
    when, hours = days(map(date.fromisoformat, further["date"])), number(further["seconds"].sum() / 3600, 1)
    return (
        f"{plural(len(further), 'entrenamiento')}, {when}, con {' o '.join(sorted(versions))}: {hours} horas de "
        "entrenamiento en total."
    )


def beyond_table(further: pd.DataFrame) -> HTML:
    """Por receta: parámetros, semillas, épocas, segundos y lo medido en prueba."""
    rows = [
        {
            "Receta": name,
            "Exactitud en prueba (%)": mean_and_spread(group["test_accuracy"], 2, 100),
            "Pérdida en prueba": mean_and_spread(group["test_loss"]),
            "Parámetros": number(group["parameters"].iloc[0], 0),
            "Semillas": len(group),
            "Épocas": len(group["history"].iloc[0]["val_loss"]),
            "Segundos por semilla": mean_and_spread(group["seconds"], 0),
        }
        for name, group in _by_model(further)
    ]
    return table(pd.DataFrame(rows), "Lo que dan las recetas de «Más allá», media y desviación típica de las semillas")


def calibration_table(further: pd.DataFrame) -> HTML:
    """Por receta: el error de calibración esperado en prueba, antes y después de dividir entre la temperatura."""
    rows = [
        {
            "Receta": name,
            "ECE": mean_and_spread(group["ece"]),
            "Temperatura": mean_and_spread(group["temperature"], 2),
            "ECE con ella": mean_and_spread(group["ece_scaled"]),
        }
        for name, group in _by_model(further)
    ]
    return table(pd.DataFrame(rows), "Error de calibración en prueba (ECE), sin temperatura y con ella")


def digit_errors_table(further: pd.DataFrame) -> HTML:
    """Por receta, los fallos en prueba de cada clase, media de las semillas."""
    rows = [
        {"Receta": name}
        | {str(i): number(errors, 1) for i, errors in enumerate(np.mean(list(group["errors"]), axis=0))}
        for name, group in _by_model(further)
    ]
    return table(pd.DataFrame(rows), "Fallos en prueba por cifra verdadera, media de las semillas")


def _by_model(further: pd.DataFrame):
    return [] if further.empty else further.groupby("model", sort=False)

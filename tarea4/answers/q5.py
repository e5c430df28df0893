"""La respuesta a Q5: el mejor modelo con otras capas y otros tamaños."""

import numpy as np
import pandas as pd

from tarea4.answers.common import Claim
from tarea4.evaluation import paired_difference
from tarea4.report import mean_and_spread, number, outcome, plural


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
                f"El de hoy da {mean_and_spread(values[best])}.",
                {"mejor": "superado", "peor": "no alcanzado"}.get(
                    outcome(difference, lower_is_better=lower_is_better), "no se distinguen"
                ),
            )
        )
    return claims

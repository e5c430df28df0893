"""La respuesta a Q4: el mejor modelo regularizado con las capas de Q3."""

import numpy as np
import pandas as pd

from tarea4.answers.common import OUTCOMES, Claim, compare
from tarea4.report import number, outcome, plural, scientific, verdict
from tarea4.training import Run


def regularised_label(dropout: float, alpha_l1: float, alpha_l2: float) -> str:
    """Nombre de un modelo regularizado: «dropout 0,10, l1 = 10⁻⁴, l2 = 0»."""
    return f"dropout {number(dropout, 2)}, l1 = {scientific(alpha_l1)}, l2 = {scientific(alpha_l2)}"


def same_weights(runs: list[Run], others: list[Run]) -> int:
    """En cuántas semillas dos modelos de igual forma acaban con los mismos pesos, hasta el último bit."""
    pairs = zip(runs, others, strict=True)
    return sum(
        all(np.array_equal(a, b) for a, b in zip(run.model.get_weights(), other.model.get_weights(), strict=True))
        for run, other in pairs
    )


def grid_table(explored: pd.DataFrame, settings: dict[str, tuple], grid: list[tuple]) -> pd.DataFrame:
    """Pérdida de validación media de cada punto de la rejilla: filas, tasa de dropout; columnas, alfa."""
    loss = explored.groupby("model")["val_loss"].mean()
    cells = [(*setting[:2], loss[label]) for label, setting in settings.items() if setting in grid]
    frame = pd.DataFrame(cells, columns=["tasa de dropout", "alfa", "val_loss"])
    return frame.pivot(index="tasa de dropout", columns="alfa", values="val_loss")


def claims_q4(measured: pd.DataFrame, best: str, identical: int) -> list[Claim]:
    """Qué hacen las alfas de 2020, comparadas con ninguna, y cómo queda el modelo de 2020 frente al mejor."""
    n = measured["seed"].nunique()
    alphas = compare(measured, "alfas de 2020", "sin alfas", "val_loss")
    model = compare(measured, "respuesta de 2020", best, "val_loss")
    bits = f"Con ellas y sin ellas los pesos finales coinciden bit a bit en {identical} de {plural(n, 'semilla')}."
    effect = verdict("el modelo con esas alfas", "el que no las tiene", "loss", alphas, "en validación")
    return [
        Claim(
            "Unas alfas del orden de 10⁻¹⁵ regularizan",
            f"{bits} {effect}",
            OUTCOMES[outcome(alphas, lower_is_better=True)],
        ),
        Claim(
            "El mejor modelo es 25-45-25 con dropout 0.10 y l1 = 3e-15",
            verdict("el de 2020", "el mejor de hoy", "loss", model, "en validación"),
            {"peor": "se refuta", "mejor": "se confirma"}.get(outcome(model, lower_is_better=True), "no se distinguen"),
        ),
    ]

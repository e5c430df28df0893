"""Q4: el mejor modelo regularizado con las capas de Q3. Sus parámetros, lo que hace cada alfa y lo afirmado en 2020."""

import numpy as np
import pandas as pd

from tarea4.report.claims import Claim, claimed
from tarea4.report.parameters import Alpha, Alphas, Rate, Regularised, Sizes, Studied, meaning
from tarea4.report.words import number, outcome, plural, scientific
from tarea4.statistics import paired_difference
from tarea4.training import Run


class Parameters(Regularised, Studied):
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta")
    dropout: Rate = meaning("tasa de dropout del modelo pedido, y la tasa con que se varían las alfas")
    alpha_l1: Alpha = meaning("factor l1 del modelo pedido")
    alpha_l2: Alpha = meaning("factor l2 del modelo pedido")
    alpha_grid: Alphas = meaning("alfas que se prueban, la misma para l1 y para l2")


def label(dropout: float, alpha_l1: float, alpha_l2: float) -> str:
    """Nombre de un modelo regularizado, distinto si algo difiere: «dropout 0,10, l1 = 10⁻⁴, l2 = 0»."""
    l1, l2 = (scientific(alpha, exact=True) for alpha in (alpha_l1, alpha_l2))
    exact = np.format_float_positional(dropout).replace(".", ",")
    return f"dropout {number(dropout, 2) if round(dropout, 2) == dropout else exact}, l1 = {l1}, l2 = {l2}"


def alpha_table(explored: pd.DataFrame, labels: dict[float, str], metric: str = "val_loss") -> pd.DataFrame:
    """Una métrica por alfa (filas, de menor a mayor) y semilla (columnas); `labels` da el modelo de cada alfa."""
    by_model = explored.pivot(index="model", columns="seed", values=metric)
    return pd.DataFrame({alpha: by_model.loc[labels[alpha]] for alpha in sorted(labels)}).T.rename_axis("alfa")


def alpha_effects(losses: pd.DataFrame) -> str:
    """Qué alfas cambian la pérdida de validación, comparada por semillas con la de la menor alfa de `alpha_table`."""
    base, *others = losses.index
    effects = {a: outcome(paired_difference(losses.loc[a], losses.loc[base]), lower_is_better=True) for a in others}
    words = {"mejor": "la bajan", "peor": "la suben", "sin diferencia": "no la cambian de modo que se distinga"}
    groups = {word: [scientific(a) for a in others if effects[a] == key] for key, word in words.items()}
    parts = [f"{word} {', '.join(alphas)}" for word, alphas in groups.items() if alphas]
    return f"Frente a alfa = {scientific(base)}, la pérdida de validación: {'; '.join(parts) or 'sin otras alfas'}."


def same_weights(runs: list[Run], others: list[Run]) -> int:
    """En cuántas semillas dos modelos de igual forma acaban con los mismos pesos, hasta el último bit."""
    pairs = [(run.model.get_weights(), other.model.get_weights()) for run, other in zip(runs, others, strict=True)]
    return sum(all(np.array_equal(*each) for each in zip(*pair, strict=True)) for pair in pairs)


def claims(measured: pd.DataFrame, best: str, base: str, no_alphas: str, identical: int, effects: str) -> list[Claim]:
    """Qué hacen las alfas de 2020, comparadas con ninguna, y cómo queda el modelo de 2020 frente a los de hoy."""
    seeds = plural(measured["seed"].nunique(), "semilla")
    bits = f"Con ellas y sin ellas los pesos finales coinciden bit a bit con {identical} de {seeds}."
    alphas = ("alfas de 2020", "el modelo con ellas"), (no_alphas, "el que no las tiene")
    model = ("respuesta de 2020", "el de 2020"), (best, "el mejor de hoy")
    layers = ("respuesta de 2020", "la red 25-45-25"), (base, f"la de las capas de Q3 ({base})")
    tiny = claimed("Unas alfas del orden de 10⁻¹⁵ regularizan", measured, "val_loss", *alphas)
    return [
        tiny._replace(evidence=f"{bits} {tiny.evidence} {effects}"),
        claimed("El mejor modelo es 25-45-25 con dropout 0.10 y l1 = 3e-15", measured, "val_loss", *model),
        claimed("Cambiar las capas de Q3 por 25-45-25 mejora", measured, "val_loss", *layers),
    ]

"""Qué busca cada estudio de Q4 y Q5: sus hiperparámetros, sus ensayos diseñados y su poda."""

import itertools
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from optuna.pruners import BasePruner, NopPruner, PercentilePruner
from optuna.trial import BaseTrial

from tarea4.data import Dataset
from tarea4.models import regularised
from tarea4.report.words import number, percent, scientific
from tarea4.search.recipes import BUDGET_2020, Recipe, layer_sizes, widest
from tarea4.training import Training

MIN_EXPONENT = -8  # una alfa menor que 10**-8 es cero
LABELS = {
    "number": "ensayo", "parameters": "parámetros", "val_loss": "pérdida", "val_accuracy": "exactitud",
    "epochs": "épocas", "n_layers": "capas ocultas", "width": "unidades de la capa 1",
    **{f"ratio_{i}": f"razón capa {i} / capa {i - 1}" for i in range(2, 6)}, "activation": "activación",
    "batch_norm": "normalización por lotes", "dropout": "dropout de la entrada", "dropout_hidden": "dropout interior",
    "noise": "ruido de la entrada", "noise_hidden": "ruido interior", "log10_alpha_l1": "alfa de l1",
    "log10_alpha_l2": "alfa de l2", "learning_rate": "tasa de aprendizaje", "weight_decay": "decaimiento de pesos",
    "schedule": "plan de la tasa", "batch_size": "tamaño del lote",
}  # fmt: skip


class Space(NamedTuple):
    """Un estudio: qué es, qué propone un ensayo, qué ensayos van primero, cómo se poda y qué no busca."""

    title: str
    suggest: Callable[[BaseTrial, Dataset], Training | Recipe]
    designed: list[dict[str, float]]
    pruner: BasePruner
    fixed: Mapping[str, float | str] | None = None


def alpha(exponent: float) -> float:
    """La alfa de un exponente de los estudios: 10 elevado a él, o cero si es menor que `MIN_EXPONENT`."""
    return 10**exponent if exponent >= MIN_EXPONENT else 0.0


def _alphas(trial: BaseTrial) -> dict[str, float]:
    names = ("alpha_l1", "alpha_l2")
    return {name: alpha(trial.suggest_float(f"log10_{name}", MIN_EXPONENT - 1, -1)) for name in names}


def _suggest_q4(trial: BaseTrial, data: Dataset) -> Training:
    model = regularised(dropout=trial.suggest_float("dropout", 0.0, 0.5), **_alphas(trial), **data.sizes)
    return Training(model, epochs=15, batch_size=128)


def _suggest_q5(trial: BaseTrial, data: Dataset, *, budget: int | None, epochs: int) -> Recipe:
    uniform, choose = trial.suggest_float, trial.suggest_categorical
    logarithmic = partial(trial.suggest_float, log=True)
    steps = [logarithmic(f"ratio_{i}", 0.3, 1.2) for i in range(2, trial.suggest_int("n_layers", 1, 5) + 1)]
    ratios = list(itertools.accumulate([1.0, *steps], operator.mul))
    width = widest(ratios, budget, **data.sizes) if budget else trial.suggest_int("width", 32, 512, log=True)
    return Recipe(
        layer_sizes(width, ratios), choose("activation", ["relu", "gelu", "silu"]), choose("batch_norm", [True, False]),
        dropout=uniform("dropout", 0.0, 0.4), dropout_hidden=uniform("dropout_hidden", 0.0, 0.4),
        noise=uniform("noise", 0.0, 0.5), noise_hidden=uniform("noise_hidden", 0.0, 0.5), **_alphas(trial),
        learning_rate=logarithmic("learning_rate", 5e-4, 1e-2), weight_decay=logarithmic("weight_decay", 1e-4, 0.2),
        schedule=choose("schedule", ["constante", "coseno"]), batch_size=choose("batch_size", [64, 128, 256, 512]),
        epochs=epochs,
    )  # fmt: skip


GRID = [
    {"dropout": rate, "log10_alpha_l1": exponent, "log10_alpha_l2": exponent}
    for rate in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    for exponent in (-9, -7, -5, -4, -3, -2, -1)
]
SETTLED = {"batch_norm": True, "schedule": "coseno", "batch_size": 256, "dropout": 0.0, "dropout_hidden": 0.0}
SETTLED |= {"log10_alpha_l1": -9, "log10_alpha_l2": -9}  # lo que el estudio corto deja claro, y el largo no busca más
NOISY = SETTLED | {"n_layers": 2, "ratio_2": 0.88, "activation": "relu", "noise": 0.3, "noise_hidden": 0.3}
NOISY |= {"learning_rate": 4e-3, "weight_decay": 0.05}  # por donde empiezan los estudios de Q5
SPACES = {
    "q4": Space("dropout y alfas, con las capas de Q3", _suggest_q4, GRID, NopPruner()),
    "q5-presupuesto": Space("capas y regularización, con los parámetros de 2020 como mucho",
        partial(_suggest_q5, budget=BUDGET_2020, epochs=20), [NOISY], PercentilePruner(40, 10, 4)),
    "q5-largo": Space("capas, ruido y optimizador, con los parámetros de 2020 como mucho y el triple de épocas",
        partial(_suggest_q5, budget=BUDGET_2020, epochs=60), [NOISY], PercentilePruner(35, 8, 25), SETTLED),
    "q5-libre": Space("capas y regularización, sin límite de parámetros",
        partial(_suggest_q5, budget=None, epochs=15), [NOISY], PercentilePruner(40, 10, 3)),
}  # fmt: skip


def shown(name: str, value) -> str:
    """Lo que vale una columna de los ensayos, como se lee; un exponente de alfa, como la alfa."""
    if pd.isna(value):
        return "—"
    if isinstance(value, str | bool | np.bool_):
        return value if isinstance(value, str) else ("sí" if value else "no")
    if name.startswith("log10_"):
        return scientific(alpha(value))
    if name in ("val_loss", "val_accuracy"):
        return number(value) if name == "val_loss" else percent(value)
    if float(value).is_integer():
        return number(value, 0)
    return scientific(value) if abs(value) < 1e-4 else f"{value:.3g}".replace(".", ",")

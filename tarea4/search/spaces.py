"""Qué busca cada estudio de Q4 y Q5: sus hiperparámetros, sus ensayos diseñados y su poda."""

import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import optuna
import pandas as pd

from tarea4.data import Dataset
from tarea4.models import regularised
from tarea4.report.words import number, percent, scientific
from tarea4.search.recipes import BUDGET_2020, Recipe, widest
from tarea4.training import Training

MIN_EXPONENT = -8  # una alfa menor que 10**-8 es cero
HIDDEN_SIZES_Q3 = (40, 50, 15)
LABELS = {
    "number": "ensayo",
    "parameters": "parámetros",
    "val_loss": "pérdida",
    "val_accuracy": "exactitud",
    "epochs": "épocas",
    "n_layers": "capas ocultas",
    "width": "unidades de la capa 1",
    **{f"ratio_{i}": f"razón capa {i} / capa {i - 1}" for i in range(2, 6)},
    "activation": "activación",
    "batch_norm": "normalización por lotes",
    "dropout": "dropout de la entrada",
    "dropout_hidden": "dropout interior",
    "noise": "ruido de la entrada",
    "noise_hidden": "ruido interior",
    "log10_alpha_l1": "alfa de l1",
    "log10_alpha_l2": "alfa de l2",
    "learning_rate": "tasa de aprendizaje",
    "weight_decay": "decaimiento de pesos",
    "schedule": "plan de la tasa",
    "batch_size": "tamaño del lote",
}


class Space(NamedTuple):
    """Un estudio: qué es, cómo se pide una red a un ensayo, qué ensayos van primero, cómo se poda y qué no busca."""

    title: str
    suggest: Callable[[optuna.trial.BaseTrial, Dataset], Training]
    designed: list[dict[str, float]]
    pruner: optuna.pruners.BasePruner
    fixed: Mapping[str, float | str] = MappingProxyType({})


def alpha(exponent: float) -> float:
    """La alfa de un exponente de los estudios: 10 elevado a él, o cero si es menor que `MIN_EXPONENT`."""
    return 10**exponent if exponent >= MIN_EXPONENT else 0.0


def _alpha(trial: optuna.trial.BaseTrial, name: str) -> float:
    return alpha(trial.suggest_float(f"log10_{name}", MIN_EXPONENT - 1, -1))


def _suggest_q4(trial: optuna.trial.BaseTrial, data: Dataset) -> Training:
    rate = trial.suggest_float("dropout", 0.0, 0.5)
    alphas = {name: _alpha(trial, name) for name in ("alpha_l1", "alpha_l2")}
    return Training(regularised(HIDDEN_SIZES_Q3, dropout=rate, **alphas, **data.sizes), epochs=15, batch_size=128)


def recipe(trial: optuna.trial.BaseTrial, data: Dataset, budget: int | None, epochs: int) -> Recipe:
    """La receta que propone un ensayo de Q5, o la que propuso, si `trial` es un `optuna.trial.FixedTrial`."""
    n_layers = trial.suggest_int("n_layers", 1, 5)
    ratios = [trial.suggest_float(f"ratio_{i}", 0.3, 1.2, log=True) for i in range(2, n_layers + 1)]
    ratios = list(itertools.accumulate([1.0, *ratios], lambda width, ratio: width * ratio))
    if budget:
        sizes = widest(ratios, budget, **data.sizes)
    else:
        width = trial.suggest_int("width", 32, 512, log=True)
        sizes = [max(1, round(width * ratio)) for ratio in ratios]
    return Recipe(
        hidden_sizes=sizes,
        activation=trial.suggest_categorical("activation", ["relu", "gelu", "silu"]),
        batch_norm=trial.suggest_categorical("batch_norm", [True, False]),
        dropout=trial.suggest_float("dropout", 0.0, 0.4),
        dropout_hidden=trial.suggest_float("dropout_hidden", 0.0, 0.4),
        noise=trial.suggest_float("noise", 0.0, 0.5),
        noise_hidden=trial.suggest_float("noise_hidden", 0.0, 0.5),
        alpha_l1=_alpha(trial, "alpha_l1"),
        alpha_l2=_alpha(trial, "alpha_l2"),
        learning_rate=trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-4, 0.2, log=True),
        schedule=trial.suggest_categorical("schedule", ["constante", "coseno"]),
        batch_size=trial.suggest_categorical("batch_size", [64, 128, 256, 512]),
        epochs=epochs,
    )


def _suggest_q5(budget: int | None, epochs: int) -> Callable[[optuna.trial.BaseTrial, Dataset], Training]:
    return lambda trial, data: recipe(trial, data, budget, epochs).training(data)


GRID = [
    {"dropout": rate, "log10_alpha_l1": exponent, "log10_alpha_l2": exponent}
    for rate in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    for exponent in (-9, -7, -5, -4, -3, -2, -1)
]
NOISY = {  # dos capas y ruido gaussiano en la entrada y dentro: por donde empiezan los estudios de Q5
    "n_layers": 2, "ratio_2": 0.88, "activation": "relu", "batch_norm": True, "dropout": 0.0, "dropout_hidden": 0.0,
    "noise": 0.3, "noise_hidden": 0.3, "log10_alpha_l1": -9, "log10_alpha_l2": -9, "learning_rate": 4e-3,
    "weight_decay": 0.05, "schedule": "coseno", "batch_size": 256,
}  # fmt: skip
# Lo que el estudio corto deja claro: el largo no lo busca más.
SETTLED = ("batch_norm", "dropout", "dropout_hidden", "log10_alpha_l1", "log10_alpha_l2", "schedule", "batch_size")
BUDGETS = {"q5-presupuesto": BUDGET_2020, "q5-largo": BUDGET_2020, "q5-libre": None}
SPACES = {
    "q4": Space("dropout y alfas, con las capas de Q3", _suggest_q4, GRID, optuna.pruners.NopPruner()),
    "q5-presupuesto": Space(
        "capas y regularización, con los parámetros de 2020 como mucho",
        _suggest_q5(BUDGETS["q5-presupuesto"], epochs=20), [NOISY], optuna.pruners.PercentilePruner(40, 10, 4),
    ),
    "q5-largo": Space(
        "capas, ruido y optimizador, con los parámetros de 2020 como mucho y el triple de épocas",
        _suggest_q5(BUDGETS["q5-largo"], epochs=60), [NOISY], optuna.pruners.PercentilePruner(35, 8, 25),
        {name: NOISY[name] for name in SETTLED},
    ),
    "q5-libre": Space(
        "capas y regularización, sin límite de parámetros",
        _suggest_q5(BUDGETS["q5-libre"], epochs=15), [NOISY], optuna.pruners.PercentilePruner(40, 10, 3),
    ),
}  # fmt: skip


def shown(name: str, value) -> str:
    """Lo que vale una columna de los ensayos, como se lee; un exponente de alfa, como la alfa."""
    if pd.isna(value):
        return "—"
    if name.startswith("log10_"):
        return scientific(alpha(value))
    if isinstance(value, str | bool | np.bool_):
        return value if isinstance(value, str) else ("sí" if value else "no")
    if name in ("val_loss", "val_accuracy"):
        return number(value) if name == "val_loss" else percent(value)
    if float(value).is_integer():
        return number(value, 0)
    return scientific(value) if abs(value) < 1e-4 else f"{value:.3g}".replace(".", ",")

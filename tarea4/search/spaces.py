"""Qué busca cada estudio: sus hiperparámetros, sus ensayos diseñados, su poda y lo que se guarda de cada ensayo."""

import hashlib
import itertools
import json
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from optuna.pruners import BasePruner, NopPruner, PercentilePruner
from optuna.trial import BaseTrial

from tarea4.data import Dataset, pooled
from tarea4.evaluation import confusion, evaluate, measured_senses, predict
from tarea4.models import plain, regularised
from tarea4.report.words import number, percent, scientific
from tarea4.search.order import KerasFit
from tarea4.search.recipes import BUDGET_2020, Recipe, layer_sizes, widest
from tarea4.statistics import calibration
from tarea4.training import Run, Training

SIZES_2020 = "40-50-15"  # las capas de «Try 01», la respuesta a Q3
PLAIN_SIZES = [SIZES_2020] + ["-".join([str(n)] * k) for k in (1, 2, 3) for n in (10, 20, 40, 60, 100)]
RATES, ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5), (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
NOISY = {"n_layers": 2, "ratio_2": 0.88, "activation": "relu", "batch_norm": True, "dropout": 0.0}
NOISY |= {"dropout_hidden": 0.0, "noise": 0.3, "noise_hidden": 0.3, "log10_alpha_l1": -9, "log10_alpha_l2": -9}
NOISY |= {"learning_rate": 4e-3, "weight_decay": 0.05, "schedule": "coseno", "batch_size": 256}  # por donde se empieza
MIN_EXPONENT = -8  # una alfa menor que 10**-8 es cero
SEARCHING = range(1000, 1005)  # las semillas que buscan y eligen; las que confirman, en los cuadernos, son otras
LABELS = {
    "number": "ensayo", "parameters": "parámetros", "val_loss": "pérdida", "val_accuracy": "exactitud",
    "epochs": "épocas", "n_layers": "capas ocultas",
    **{f"ratio_{i}": f"razón capa {i} / capa {i - 1}" for i in range(2, 6)}, "activation": "activación",
    "batch_norm": "normalización por lotes", "dropout": "dropout de la entrada", "dropout_hidden": "dropout interior",
    "noise": "ruido de la entrada", "noise_hidden": "ruido interior", "alpha_l1": "alfa de l1",
    "alpha_l2": "alfa de l2", "log10_alpha_l1": "alfa de l1", "log10_alpha_l2": "alfa de l2",
    "learning_rate": "tasa de aprendizaje", "weight_decay": "decaimiento de pesos",
    "schedule": "plan de la tasa", "batch_size": "tamaño del lote", "hidden_sizes": "capas", "seed": "semilla",
    "label_smoothing": "suavizado de etiquetas", "epsilon": "perturbación de FGSM", "pool": "imagen reducida",
    "augment": "transformaciones afines",
}  # fmt: skip


class Space(NamedTuple):
    """Un estudio: qué es, qué entrena un ensayo, qué ensayos van primero, si no hay más, cómo se poda y qué se mide."""

    title: str
    suggest: Callable[[BaseTrial, Dataset], Training | Recipe | tuple[Training, Dataset]]
    designed: Callable[[], list[dict[str, float | str]]]
    grid: bool = False  # solo tiene los diseñados, cada uno con su semilla
    pruner: BasePruner = NopPruner()
    tested: bool = False  # se mide también en prueba, porque nada se elige con él


def alpha(exponent: float) -> float:
    """La alfa de un exponente de los estudios: 10 elevado a él, o cero si es menor que `MIN_EXPONENT`."""
    return 10**exponent if exponent >= MIN_EXPONENT else 0.0


def _alphas(trial: BaseTrial) -> dict[str, float]:
    names = ("alpha_l1", "alpha_l2")
    return {name: alpha(trial.suggest_float(f"log10_{name}", MIN_EXPONENT - 1, -1)) for name in names}


def _sizes(trial: BaseTrial, choices: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(int, trial.suggest_categorical("hidden_sizes", choices).split("-")))


def suggest_regularised(trial: BaseTrial, data: Dataset, choices: Sequence[str] = (SIZES_2020,)) -> Training:
    rates = {name: trial.suggest_float(name, 0.0, 1.0) for name in ("dropout", "alpha_l1", "alpha_l2")}
    return Training(regularised(_sizes(trial, choices), **rates, **data.sizes), train_metrics=False)


def _suggest_q4(trial: BaseTrial, data: Dataset) -> Training:
    model = regularised(dropout=trial.suggest_float("dropout", 0.0, 0.5), **_alphas(trial), **data.sizes)
    return Training(model, train_metrics=False)


def _suggest_recipe(trial: BaseTrial, data: Dataset) -> Recipe:
    uniform, choose = trial.suggest_float, trial.suggest_categorical
    logarithmic = partial(trial.suggest_float, log=True)
    steps = [logarithmic(f"ratio_{i}", 0.3, 1.2) for i in range(2, trial.suggest_int("n_layers", 1, 5) + 1)]
    ratios = list(itertools.accumulate([1.0, *steps], operator.mul))
    width = widest(ratios, BUDGET_2020, **data.sizes)
    return Recipe(
        layer_sizes(width, ratios), choose("activation", ["relu", "gelu", "silu"]), choose("batch_norm", [True, False]),
        dropout=uniform("dropout", 0.0, 0.4), dropout_hidden=uniform("dropout_hidden", 0.0, 0.4),
        noise=uniform("noise", 0.0, 0.5), noise_hidden=uniform("noise_hidden", 0.0, 0.5), **_alphas(trial),
        learning_rate=logarithmic("learning_rate", 5e-4, 1e-2), weight_decay=logarithmic("weight_decay", 1e-4, 0.2),
        schedule=choose("schedule", ["constante", "coseno"]), batch_size=choose("batch_size", [64, 128, 256, 512]),
    )  # fmt: skip


def with_seeds(points: Iterable[dict], seeds: Iterable[int] = SEARCHING) -> list[dict]:
    """Cada punto con cada semilla: los ensayos de una rejilla."""
    return [point | {"seed": seed} for point, seed in itertools.product(points, seeds)]


def _grid_points() -> list[dict[str, float | str]]:
    kinds = [(1, 0), (0, 1), (1, 1)]  # l1 sola, l2 sola y las dos
    alphas = [(0.0, 0.0), *((l1 * size, l2 * size) for size in ALPHAS for l1, l2 in kinds)]
    points = [(rate, *pair) for rate in RATES for pair in (alphas if rate in (0.0, 0.2) else alphas[:1])]
    names = ("hidden_sizes", "dropout", "alpha_l1", "alpha_l2")
    return [dict(zip(names, (SIZES_2020, *point), strict=True)) for point in points]


def _random_points() -> list[dict[str, float]]:
    rng, names = np.random.default_rng(0), ("dropout", "log10_alpha_l1", "log10_alpha_l2")
    low, high = [0.0, MIN_EXPONENT - 1, MIN_EXPONENT - 1], [0.5, -1, -1]
    return [dict(zip(names, map(float, point), strict=True)) for point in rng.uniform(low, high, (45, 3))]


SPACES = {
    "q3": Space("redes simples de una a tres capas",
        lambda trial, data: Training(plain(_sizes(trial, PLAIN_SIZES), **data.sizes)),
        lambda: with_seeds({"hidden_sizes": sizes} for sizes in PLAIN_SIZES), grid=True),
    "q4-rejilla": Space("tasas de dropout y alfas, con las capas de Q3", suggest_regularised,
        lambda: with_seeds(_grid_points()), grid=True),
    "q4": Space("dropout y alfas, con las capas de Q3, a la busca del mejor", _suggest_q4, list),
    "q4-azar": Space("dropout y alfas al azar, con semillas que los eligen y otras que los confirman", _suggest_q4,
        lambda: with_seeds(_random_points(), [SEARCHING[0], 2000, 2001]), grid=True),
    "q5": Space("capas y receta, con los parámetros de 2020 como mucho",
        _suggest_recipe, lambda: [NOISY], pruner=PercentilePruner(40, 10, 10)),
}  # fmt: skip


def proposed(name: str, trial: BaseTrial, data: Dataset) -> tuple[Training, Dataset]:
    """Lo que entrena un ensayo de ese estudio, y con qué imágenes."""
    found = SPACES[name].suggest(trial, data)
    if not isinstance(found, Recipe):
        return found if isinstance(found, tuple) else (found, data)
    images = pooled(data) if found.pool else data
    return found.training(images, train_metrics=False), images


def fingerprint(training: Training) -> str:
    """Resumen de lo que se entrena, red y opciones, sin los nombres que Keras numera: cambia si cambia la receta."""
    config = json.dumps(keras.saving.serialize_keras_object(training.model), sort_keys=True)
    config = re.sub('"(name|shared_object_id)": [^,}]+', "", config)
    parts = [config, training.epochs, training.batch_size, training.augment is not None]
    parts += [training.reshuffled] if isinstance(training, KerasFit) else []
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def measure(run: Run, tested: Dataset | None) -> dict[str, float | list]:
    """Lo que se guarda de un entrenamiento: la historia, con cinco cifras, y, si se dan datos, lo medido en prueba."""
    senses = measured_senses([run]) if "train_loss" in run.history else ["val_"]
    keys = [sense + metric for sense in senses for metric in ("loss", "accuracy")]
    history = {key: [float(f"{x:.5g}") for x in run.history[key]] for key in keys}
    kept = {"val_accuracy": run.best("val_accuracy"), "history": history}
    if tested is None:
        return kept
    probabilities = predict(run.model, tested.x_test)
    matrix = confusion(tested.y_test, probabilities.argmax(axis=1), tested.n_classes)
    kept |= {f"test_{name}": value for name, value in evaluate(run.model, tested.x_test, tested.y_test).items()}
    ece = calibration(tested.y_test, probabilities).ece
    return kept | {"ece": ece, "errors": (matrix.sum(axis=1) - np.diag(matrix)).tolist()}


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

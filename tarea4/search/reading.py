"""Lee los estudios: el que enseña un cuaderno, sus ensayos, su rejilla, su frente y sus mejores recetas."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FixedTrial, TrialState

from tarea4.data import Dataset
from tarea4.search.recipes import Recipe
from tarea4.search.run import FINISHED, count, open_storage, open_study, search
from tarea4.search.spaces import SPACES, alpha

STUDIES_PATH = Path(__file__).parents[2] / "estudios"  # los publicados


def reader_study(
    name: str, data: Dataset, *, n_trials: int = 0, storage: str | None = None, published: bool = True
) -> optuna.Study:
    """El estudio de `storage` o, en memoria, una copia del publicado, vacía si no lo es; con `n_trials` ensayos más."""
    place, path = storage or optuna.storages.InMemoryStorage(), STUDIES_PATH / f"{name}.log"
    if not storage and published and path.exists():  # con otros datos, aquellos ensayos no valen
        optuna.copy_study(from_study_name=name, from_storage=open_storage(path), to_storage=place)
    study = open_study(name, place, data)
    if n_trials:
        search(study, data, n_trials=count(study) + n_trials, bar=False)
    return study


def trials_table(study: optuna.Study) -> pd.DataFrame:
    """Los ensayos terminados, de menor a mayor pérdida de validación: número, estado, lo medido y los parámetros."""
    rows = [
        {"number": trial.number, "pruned": trial.state == TrialState.PRUNED, "date": trial.datetime_start}
        | {"val_loss": min(trial.intermediate_values.values(), default=math.nan)}  # podado, la menor hasta la poda
        | {"epochs": len(trial.intermediate_values), "seconds": trial.duration.total_seconds()}
        | {name: trial.user_attrs.get(name) for name in ("parameters", "val_accuracy")}
        | trial.params
        for trial in study.get_trials(deepcopy=False, states=FINISHED)
    ]
    columns = None if rows else ["number", "pruned", "val_loss", "parameters", "seconds"]
    return pd.DataFrame(rows, columns=columns).sort_values("val_loss", ignore_index=True)


def grid_losses(trials: pd.DataFrame, grid: list[dict[str, float]], x: str, y: str) -> pd.DataFrame:
    """Pérdidas de una rejilla: filas `y`, columnas `x`; NaN, lo que falta o se podó; ValueError si todo."""
    found = pd.DataFrame(grid, dtype=float).merge(trials[~trials["pruned"].astype(bool)], how="left")
    if found["val_loss"].isna().all():
        raise ValueError(f"trials: entre {len(trials)} ensayos no hay ninguno sin podar de los {len(grid)} de `grid`.")
    return found.pivot_table("val_loss", y, x, dropna=False)


def varied_together(grid: list[dict[str, float]]) -> dict[str, list[str]]:
    """Por hiperparámetro de una rejilla, los que valen lo mismo que él en todos sus puntos, él incluido."""
    points = pd.DataFrame(grid)
    return {name: [other for other in points if points[other].equals(points[name])] for name in points}


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """Los ensayos que ningún otro mejora a la vez en parámetros y en pérdida, de menos a más parámetros."""
    ordered = trials.dropna(subset="val_loss").sort_values(["parameters", "val_loss"])
    smaller = ordered["val_loss"].cummin().shift(fill_value=np.inf)
    return ordered[ordered["val_loss"] < smaller].reset_index(drop=True)


def best_recipes(study: optuna.Study, data: Dataset, epochs: int, n: int) -> dict[int, Recipe]:
    """Por número de ensayo, las `n` mejores recetas de un estudio de Q5; de uno vacío, la del primero diseñado."""
    space, finished = SPACES[study.study_name], study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = {trial.number: trial.params for trial in sorted(finished, key=lambda trial: trial.value)[:n]}
    tried = best or {0: space.designed[0]}
    return {i: replace(space.suggest(FixedTrial(params), data), epochs=epochs) for i, params in tried.items()}


def best_settings(trials: pd.DataFrame, n: int) -> list[dict[str, float]]:
    """`dropout`, `alpha_l1` y `alpha_l2` de los `n` mejores ensayos sin podar de Q4, con tres cifras."""
    best = trials[~trials["pruned"].astype(bool)].sort_values("val_loss", kind="stable").head(n).to_dict("records")
    read = {"dropout": float, "log10_alpha_l1": alpha, "log10_alpha_l2": alpha}
    return [
        {name.removeprefix("log10_"): float(f"{value(row[name]):.3g}") for name, value in read.items()} for row in best
    ]

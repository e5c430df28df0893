"""Lee los estudios: el que enseña un cuaderno, sus ensayos, sus puntos, su frente y lo que cada uno encontró."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from tarea4.data import Dataset
from tarea4.search.recipes import BUDGET_2020, Recipe
from tarea4.search.run import FINISHED, count, open_storage, open_study, search
from tarea4.search.spaces import SEARCHING, SIZES_2020, SPACES, alpha
from tarea4.training import Run

STUDIES_PATH = Path(__file__).parents[2] / "estudios"  # los publicados
SETTING = ("dropout", "alpha_l1", "alpha_l2")
MEASURES = ("trained", "parameters", "val_accuracy", "test_loss", "test_accuracy", "ece", "errors")


def reader_study(name: str, data: Dataset, *, n_trials: int = 0, storage: str | None = None) -> optuna.Study:
    """El de `storage`, si está, o, en memoria, una copia del publicado si es de estos datos; con `n_trials` más."""
    place, path = storage or optuna.storages.InMemoryStorage(), STUDIES_PATH / f"{name}.log"
    if not storage and path.exists() and open_study(name, path).user_attrs.get("data") == data.digest:
        optuna.copy_study(from_study_name=name, from_storage=open_storage(path), to_storage=place)
    study = open_study(name, place, data, create=not storage)
    if n_trials:
        search(study, data, n_trials=count(study) + n_trials, bar=False)
    return study


@functools.cache
def published(name: str) -> optuna.Study:
    """Un estudio guardado, para leerlo; ValueError si no está."""
    return open_study(name, STUDIES_PATH / f"{name}.log")


def stored(name: str, data: Dataset) -> pd.DataFrame:
    """Los ensayos de un estudio guardado (`trials_table`), o ninguno si es de otros datos."""
    study = published(name)
    trials = trials_table(study)
    return trials if study.user_attrs["data"] == data.digest else trials.head(0)


def trials_table(study: optuna.Study) -> pd.DataFrame:
    """Los ensayos terminados, de menor a mayor pérdida de validación: número, estado, lo medido y los parámetros.

    De uno podado, la pérdida es la menor hasta la poda. `history` es un diccionario, o None.
    """
    rows = []
    for trial in study.get_trials(deepcopy=False, states=FINISHED):
        history = trial.user_attrs.get("history")
        losses = history["val_loss"] if history else list(trial.intermediate_values.values())
        row = {"number": trial.number, "pruned": trial.state == TrialState.PRUNED, "date": trial.datetime_start}
        row |= {"val_loss": min(losses, default=math.nan), "best_epoch": int(np.argmin([*losses, math.inf])) + 1}
        row |= {"epochs": len(losses), "seconds": trial.duration.total_seconds(), "history": history}
        rows.append(row | {name: trial.user_attrs.get(name) for name in MEASURES} | trial.params)
    columns = None if rows else ["number", "pruned", "val_loss", "parameters", "seconds", "history", "seed"]
    return pd.DataFrame(rows, columns=columns).sort_values("val_loss", ignore_index=True)


def points(trials: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """De una rejilla, lo medido en cada punto con las semillas que eligen, de menor a mayor pérdida media.

    Columnas: las de `names`, `val_loss`, `spread` (la desviación típica de `val_loss`), `val_accuracy`, `best_epoch`,
    `parameters` y `n`.
    """
    kept = trials[trials["seed"].isin(SEARCHING) & ~trials["pruned"].astype(bool)]
    groups = kept.groupby(list(names))
    means = groups[["val_loss", "val_accuracy", "best_epoch", "parameters"]].mean()
    means = means.assign(spread=groups["val_loss"].std(), n=groups.size())
    return means.sort_values("val_loss", kind="stable").reset_index()


def runs_by_point(trials: pd.DataFrame, name: str | list[str]) -> dict[str | tuple, list[Run]]:
    """Los entrenamientos guardados de una rejilla, por el valor de su parámetro, o los de varios: historias sin red."""
    return {
        value: [Run(None, row.seed, row.history | {"seconds": [row.seconds / row.epochs] * row.epochs}, row.seconds)
                for row in rows.sort_values("seed").itertuples()]
        for value, rows in trials.groupby(name, sort=False)
    }  # fmt: skip


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """Los ensayos que ningún otro mejora a la vez en parámetros y en pérdida, de menos a más parámetros."""
    ordered = trials.dropna(subset="val_loss").sort_values(["parameters", "val_loss"])
    smaller = ordered["val_loss"].cummin().shift(fill_value=np.inf)
    return ordered[ordered["val_loss"] < smaller].reset_index(drop=True)


def best_settings(trials: pd.DataFrame, n: int) -> list[dict[str, float]]:
    """`dropout`, `alpha_l1` y `alpha_l2` de los `n` mejores ensayos sin podar de Q4, con tres cifras."""
    best = trials[~trials["pruned"].astype(bool)].sort_values("val_loss", kind="stable").head(n).to_dict("records")
    read = {"dropout": float, "log10_alpha_l1": alpha, "log10_alpha_l2": alpha}
    return [
        {name.removeprefix("log10_"): float(f"{value(row[name]):.3g}") for name, value in read.items()} for row in best
    ]


def recipe(trial: FrozenTrial | None, data: Dataset) -> tuple[int, Recipe]:
    """El número de un ensayo de Q5, y su receta; sin ensayo, 0 y la primera diseñada."""
    number, params = (trial.number, trial.params) if trial else (0, SPACES["q5"].designed()[0])
    return number, SPACES["q5"].suggest(FixedTrial(params), data)


def best_recipe(study: optuna.Study, data: Dataset) -> tuple[int, Recipe]:
    """La `recipe` del mejor ensayo sin podar de un estudio de Q5; de uno vacío, la primera diseñada."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return recipe(study.best_trial if complete else None, data)


def q4_points(data: Dataset) -> pd.DataFrame:
    """Lo medido con las semillas que eligen en cada punto de la rejilla de Q4 y en los finalistas de su estudio."""
    tables = [stored(name, data) for name in ("q4-rejilla", "q4-finalistas")]
    together = pd.concat(tables, ignore_index=True)
    return points(together, SETTING) if len(together) else pd.DataFrame(columns=[*SETTING, "val_loss"])


def q4_winner(data: Dataset) -> dict[str, float]:
    """El ajuste que Q4 elige: `dropout`, `alpha_l1` y `alpha_l2` de menor pérdida media; con otros datos, ninguno."""
    found = q4_points(data)
    return found.loc[0, list(SETTING)].to_dict() if len(found) else dict(zip(SETTING, (0.2, 0.0, 0.0), strict=True))


def q5_sizes(data: Dataset, *, besides: str = "") -> str:
    """Las capas, salvo `besides`, con que el ajuste de Q4 da menos pérdida sin pasar de los parámetros de 2020."""
    trials = stored("q5-capas", data)
    small = trials[(trials["parameters"] <= BUDGET_2020) & (trials["hidden_sizes"] != besides)]
    return next(iter(points(small, ["hidden_sizes"])["hidden_sizes"]), SIZES_2020)


def q5_recipe(data: Dataset) -> tuple[int, Recipe]:
    """La `recipe` del ensayo de Q5 que sus finalistas eligen; con otros datos, la primera diseñada."""
    finalists = stored("q5-finalistas", data)
    if finalists.empty:
        return recipe(None, data)
    return recipe(published("q5").trials[int(points(finalists, ["trial"]).loc[0, "trial"])], data)

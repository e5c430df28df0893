"""Lee los estudios: el que enseña un cuaderno, sus ensayos en una tabla, qué importa y la mejor receta."""

import math
from pathlib import Path

import optuna
import pandas as pd
from optuna.trial import TrialState

from tarea4.data import Dataset
from tarea4.recipes import Recipe
from tarea4.search import FINISHED, count, open_study, search
from tarea4.spaces import BUDGETS, SPACES, recipe
from tarea4.storage import open_storage

STUDIES_PATH = Path(__file__).parents[1] / "estudios"  # los publicados


def reader_study(
    name: str, data: Dataset, *, n_trials: int = 0, storage: str | None = None, published: bool = True
) -> optuna.Study:
    """El estudio que enseña un cuaderno, con `n_trials` ensayos más que se corren aquí.

    Sin `storage`, es una copia en memoria del publicado, que así no se toca; vacía si `published` es falso, porque los
    datos son otros y aquellos ensayos no valen para ellos.
    """
    place, path = storage or optuna.storages.InMemoryStorage(), STUDIES_PATH / f"{name}.log"
    if not storage and published and path.exists():
        optuna.copy_study(from_study_name=name, from_storage=open_storage(path), to_storage=place)
    study = open_study(name, place, data)
    if n_trials:
        search(study, data, n_trials=count(study) + n_trials, verbose=False)
    return study


def trials_table(study: optuna.Study) -> pd.DataFrame:
    """Los ensayos terminados, de menor a mayor pérdida de validación: número, estado, lo medido y los parámetros.

    De un ensayo podado, `val_loss` es la menor hasta la poda; `seconds`, lo que duró; `epochs`, las que entrenó.
    """
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    rows = [
        {"number": trial.number, "pruned": trial.state == TrialState.PRUNED}
        | {"val_loss": min(trial.intermediate_values.values(), default=math.nan)}
        | {"epochs": len(trial.intermediate_values), "seconds": trial.duration.total_seconds()}
        | {name: trial.user_attrs.get(name) for name in ("parameters", "val_accuracy")}
        | {"date": trial.datetime_start}
        | trial.params
        for trial in trials
    ]
    columns = None if rows else ["number", "pruned", "val_loss", "parameters", "seconds"]
    return pd.DataFrame(rows, columns=columns).sort_values("val_loss", ignore_index=True)


def importance(study: optuna.Study) -> dict[str, float]:
    """Qué fracción de la pérdida explica cada hiperparámetro, de los que tienen todos los ensayos; suman 1.

    References
    ----------
    S. Watanabe et al., "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces", 2023.
    """
    shared = optuna.search_space.intersection_search_space(study.get_trials(deepcopy=False))
    return optuna.importance.get_param_importances(study, params=list(shared))


def best_recipes(study: optuna.Study, data: Dataset, epochs: int, n: int) -> dict[int, Recipe]:
    """Por número de ensayo, las `n` mejores recetas de un estudio de Q5; de uno vacío, la del primero diseñado."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = {trial.number: trial.params for trial in sorted(finished, key=lambda trial: trial.value)[:n]}
    budget, designed = BUDGETS[study.study_name], {0: SPACES[study.study_name].designed[0]}
    return {
        number: recipe(optuna.trial.FixedTrial(params), data, budget, epochs)
        for number, params in (best or designed).items()
    }

"""Los estudios de hiperparámetros de Q4 y Q5, con Optuna: se reanudan tras un corte y se reparten entre procesos.

Desde una terminal: ``python -m tarea4.search --help``.
"""

import argparse
import hashlib
import itertools
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import optuna
import pandas as pd
import psutil
import tensorflow as tf
from optuna.trial import FrozenTrial, Trial, TrialState
from tqdm import tqdm

from tarea4.data import Dataset, load
from tarea4.models import regularised
from tarea4.parameters import Search, check_parameters
from tarea4.recipes import BUDGET_2020, Recipe, widest
from tarea4.training import train

optuna.logging.set_verbosity(optuna.logging.WARNING)  # en inglés, y una línea por ensayo
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
MIN_EXPONENT = -8  # una alfa menor que 10**-8 es cero
HIDDEN_SIZES_Q3 = (40, 50, 15)


class Candidate(NamedTuple):
    """Lo que entrena un ensayo: una red compilada y las opciones de `tarea4.training.train`."""

    model: keras.Sequential
    options: dict[str, int]


class Space(NamedTuple):
    """Un estudio: su nombre en español, cómo se pide una red a un ensayo y los ensayos diseñados, que van primero."""

    title: str
    suggest: Callable[[optuna.trial.BaseTrial, Dataset], Candidate]
    designed: list[dict[str, float]]
    pruner: optuna.pruners.BasePruner


def _alpha(trial: optuna.trial.BaseTrial, name: str) -> float:
    exponent = trial.suggest_float(f"log10_{name}", MIN_EXPONENT - 1, -1)
    return 10**exponent if exponent >= MIN_EXPONENT else 0.0


def _suggest_q4(trial: optuna.trial.BaseTrial, data: Dataset) -> Candidate:
    rate = trial.suggest_float("dropout", 0.0, 0.5)
    alphas = {name: _alpha(trial, name) for name in ("alpha_l1", "alpha_l2")}
    sizes = {"input_size": data.input_size, "n_classes": data.n_classes}
    return Candidate(regularised(HIDDEN_SIZES_Q3, dropout=rate, **alphas, **sizes), {"epochs": 20, "batch_size": 128})


def recipe(trial: optuna.trial.BaseTrial, data: Dataset, budget: int | None, epochs: int) -> Recipe:
    """La receta que propone un ensayo de Q5, o la que propuso, si `trial` es un `optuna.trial.FixedTrial`."""
    n_layers = trial.suggest_int("n_layers", 1, 5)
    ratios = [trial.suggest_float(f"ratio_{i}", 0.3, 1.2, log=True) for i in range(2, n_layers + 1)]
    ratios = list(itertools.accumulate([1.0, *ratios], lambda width, ratio: width * ratio))
    if budget:
        sizes = widest(ratios, budget, input_size=data.input_size, n_classes=data.n_classes)
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


def _suggest_q5(budget: int | None, epochs: int) -> Callable[[optuna.trial.BaseTrial, Dataset], Candidate]:
    def suggest(trial: optuna.trial.BaseTrial, data: Dataset) -> Candidate:
        proposed = recipe(trial, data, budget, epochs)
        return Candidate(proposed.build(data), {"epochs": epochs, "batch_size": proposed.batch_size})

    return suggest


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
SPACES = {
    "q4": Space("dropout y alfas, con las capas de Q3", _suggest_q4, GRID, optuna.pruners.NopPruner()),
    "q5-presupuesto": Space(
        f"capas y regularización, con {BUDGET_2020} parámetros como mucho",
        _suggest_q5(BUDGET_2020, epochs=20), [NOISY], optuna.pruners.PercentilePruner(40, 10, 4),
    ),
    "q5-libre": Space(
        "capas y regularización, sin límite de parámetros",
        _suggest_q5(None, epochs=15), [NOISY], optuna.pruners.PercentilePruner(40, 10, 3),
    ),
}  # fmt: skip


def open_study(name: str, storage: str | Path, seed: int | None = None) -> optuna.Study:
    """Abre un estudio, o lo crea con sus ensayos diseñados en espera.

    Parameters
    ----------
    name : str
        Clave de `SPACES`.
    storage : str or Path
        Fichero del diario de Optuna, o la URL de una base de datos (``postgresql+psycopg://...``).
    seed : int, optional
        Semilla del muestreador; cada proceso necesita la suya. Sin ella, una distinta cada vez.

    References
    ----------
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.
    https://optuna.readthedocs.io/en/stable/reference/storages.html
    """
    space, backend = SPACES[name], _storage(storage)
    names = optuna.get_all_study_names(backend)
    n_trials = len(optuna.load_study(study_name=name, storage=backend).trials) if name in names else 0
    # Con la misma semilla, reanudar repetiría los primeros ensayos: también cuenta cuántos hay.
    sampler = optuna.samplers.TPESampler(seed=None if seed is None else (seed + 1_000_003 * n_trials) % 2**32)
    study = optuna.create_study(
        study_name=name, storage=backend, sampler=sampler, pruner=space.pruner, load_if_exists=True
    )
    for params in space.designed:
        study.enqueue_trial(params, skip_if_exists=True)
    return study


def _storage(storage: str | Path) -> optuna.storages.BaseStorage:
    if "://" in str(storage):
        retry = optuna.storages.RetryHeartbeatStaleTrialCallback()
        return optuna.storages.RDBStorage(
            str(storage), heartbeat_interval=15, grace_period=45, heartbeat_stale_trial_callback=retry
        )
    Path(storage).parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(storage)))


def search(
    study: optuna.Study, data: Dataset, *, n_trials: int, timeout: float | None = None, verbose: bool = True
) -> None:
    """Sigue un estudio hasta que tenga `n_trials` ensayos terminados entre todos los procesos que lo comparten.

    Cada ensayo entrena con la semilla 0, informa de la pérdida de validación de cada época, que es lo que se minimiza
    y lo que decide si se poda, y guarda parámetros, exactitud, segundos y versiones.

    Parameters
    ----------
    study : optuna.Study
        De `open_study`.
    data : Dataset
        Solo se usan las particiones de entrenamiento y de validación.
    n_trials : int
        Ensayos terminados, podados incluidos, que debe llegar a tener el estudio.
    timeout : float, optional
        Segundos tras los que no se empieza otro ensayo.
    verbose : bool
        Si muestra una barra con el tiempo que queda.
    """
    _requeue_orphans(study)
    remaining = n_trials - _count(study)
    if remaining <= 0:
        return
    space = SPACES[study.study_name]
    with tqdm(total=n_trials, initial=n_trials - remaining, desc=study.study_name, disable=not verbose) as bar:
        study.optimize(
            lambda trial: _objective(trial, space, data),
            n_trials=remaining,
            timeout=timeout,
            callbacks=[
                optuna.study.MaxTrialsCallback(n_trials, FINISHED),
                lambda study, trial: bar.update(_count(study) - bar.n),
            ],
        )


def _count(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def _objective(trial: Trial, space: Space, data: Dataset) -> float:
    trial.set_user_attr("process", _process())
    trial.set_user_attr("versions", {"keras": keras.__version__, "tensorflow": tf.__version__})
    model, options = space.suggest(trial, data)
    trial.set_user_attr("parameters", model.count_params())
    run = train(model, data, train_metrics=False, callbacks=lambda _: [_Report(trial)], verbose=False, **options)
    trial.set_user_attr("val_accuracy", run.best("val_accuracy"))
    return run.best("val_loss")


class _Report(keras.callbacks.Callback):
    """Anota la pérdida de cada época en el ensayo, y lo poda si va peor que los demás."""

    def __init__(self, trial: Trial):
        super().__init__()
        self.trial = trial

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs["val_loss"], epoch + 1)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def _process() -> dict[str, str | int]:
    return {"machine": hashlib.sha256(platform.node().encode()).hexdigest()[:8], "pid": os.getpid()}


def _requeue_orphans(study: optuna.Study) -> None:
    """Da por fallidos los ensayos que dejó a medias un proceso muerto de esta máquina, y los pone en espera otra vez.

    En una base de datos lo hace Optuna, por el latido de cada proceso; el diario no tiene latido.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        owner = trial.user_attrs.get("process", {})
        if owner.get("machine") == _process()["machine"] and not psutil.pid_exists(owner["pid"]):
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params)


def trials_table(study: optuna.Study) -> pd.DataFrame:
    """Los ensayos terminados, de menor a mayor pérdida de validación: número, estado, lo medido y los parámetros.

    De un ensayo podado, `val_loss` es la menor hasta la poda; `seconds`, lo que duró; `epochs`, las que entrenó.
    """
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    rows = [
        {"number": trial.number, "pruned": trial.state == TrialState.PRUNED}
        | {"val_loss": min(trial.intermediate_values.values()), "epochs": len(trial.intermediate_values)}
        | {name: trial.user_attrs.get(name) for name in ("parameters", "val_accuracy")}
        | {"seconds": trial.duration.total_seconds(), "date": trial.datetime_start}
        | trial.params
        for trial in trials
    ]
    return pd.DataFrame(rows).sort_values("val_loss", ignore_index=True)


def rebuild(study: optuna.Study, trial: FrozenTrial, data: Dataset) -> Candidate:
    """La red de un ensayo, para entrenarla otra vez."""
    return SPACES[study.study_name].suggest(optuna.trial.FixedTrial(trial.params), data)


def main(arguments: list[str] | None = None) -> None:
    """Sigue un estudio desde la terminal."""
    parser = argparse.ArgumentParser(
        "python -m tarea4.search",
        "python -m tarea4.search [opciones]",
        "Sigue un estudio de hiperparámetros hasta que tenga los ensayos pedidos. Se puede cortar y repetir en "
        "cualquier momento, y correr a la vez en varios procesos o máquinas que compartan el almacén.",
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    options = parser.add_argument_group("opciones")
    options.add_argument("--help", "-h", action="help", help="muestra esta ayuda")
    for name, field in Search.model_fields.items():
        default = "ninguno" if field.default in (None, "") else field.default
        options.add_argument(
            f"--{name.replace('_', '-')}", metavar="VALOR", help=f"{field.description} (por omisión, {default})"
        )
    given, unknown = parser.parse_known_args(arguments)
    defaults = {name: field.default for name, field in Search.model_fields.items()}
    try:
        if unknown:
            raise ValueError(f"opción desconocida '{unknown[0]}': se admiten --{', --'.join(defaults)}.".replace("_", "-"))
        p = check_parameters(defaults | vars(given), Search)
        data = load(p.data_path)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    study = open_study(p.study, p.storage or f"estudios/{p.study}.log", p.seed)
    search(study, data, n_trials=p.n_trials, timeout=p.timeout)
    print(f"{p.study}: {len(trials_table(study))} ensayos terminados; pérdida de validación {study.best_value:.4f}.")


if __name__ == "__main__":
    main()

"""Los estudios de hiperparámetros de Q4 y Q5, con Optuna: se reanudan tras un corte y se reparten entre procesos.

Desde una terminal: ``python -m tarea4.search --help``.
"""

import argparse
import contextlib
import hashlib
import itertools
import math
import os
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import optuna
import pandas as pd
import psutil
import sqlalchemy
import tensorflow as tf
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState
from tqdm import tqdm

from tarea4.data import Dataset, load
from tarea4.models import regularised
from tarea4.parameters import Search, check_parameters
from tarea4.recipes import BUDGET_2020, Recipe, widest
from tarea4.training import train

optuna.logging.set_verbosity(optuna.logging.ERROR)  # en inglés, y una línea por ensayo
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # lo son el latido y su comprobación
STUDIES_PATH = Path(__file__).parents[1] / "estudios"  # los publicados
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (*FINISHED, TrialState.RUNNING)
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


def alpha(exponent: float) -> float:
    """La alfa de un exponente de los estudios: 10 elevado a él, o cero si es menor que `MIN_EXPONENT`."""
    return 10**exponent if exponent >= MIN_EXPONENT else 0.0


def _alpha(trial: optuna.trial.BaseTrial, name: str) -> float:
    return alpha(trial.suggest_float(f"log10_{name}", MIN_EXPONENT - 1, -1))


def _suggest_q4(trial: optuna.trial.BaseTrial, data: Dataset) -> Candidate:
    rate = trial.suggest_float("dropout", 0.0, 0.5)
    alphas = {name: _alpha(trial, name) for name in ("alpha_l1", "alpha_l2")}
    sizes = {"input_size": data.input_size, "n_classes": data.n_classes}
    return Candidate(regularised(HIDDEN_SIZES_Q3, dropout=rate, **alphas, **sizes), {"epochs": 15, "batch_size": 128})


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
BUDGETS = {"q5-presupuesto": BUDGET_2020, "q5-libre": None}
SPACES = {
    "q4": Space("dropout y alfas, con las capas de Q3", _suggest_q4, GRID, optuna.pruners.NopPruner()),
    "q5-presupuesto": Space(
        f"capas y regularización, con {BUDGET_2020} parámetros como mucho",
        _suggest_q5(BUDGETS["q5-presupuesto"], epochs=20), [NOISY], optuna.pruners.PercentilePruner(40, 10, 4),
    ),
    "q5-libre": Space(
        "capas y regularización, sin límite de parámetros",
        _suggest_q5(BUDGETS["q5-libre"], epochs=15), [NOISY], optuna.pruners.PercentilePruner(40, 10, 3),
    ),
}  # fmt: skip


def open_study(
    name: str, storage: str | Path | optuna.storages.BaseStorage, data: Dataset | None = None
) -> optuna.Study:
    """Abre un estudio, o lo crea; uno que ya existe no se modifica.

    Parameters
    ----------
    name : str
        Clave de `SPACES`.
    storage : str, Path or BaseStorage
        Fichero del diario de Optuna, la URL de una base de datos (``postgresql+psycopg://...``) o un almacén abierto.
    data : Dataset, optional
        Si se dan, comprueba que el estudio es de estos datos; uno nuevo queda ligado a ellos.

    Raises
    ------
    ValueError
        Si el almacén no se puede abrir o el estudio es de otros datos.

    References
    ----------
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.
    https://optuna.readthedocs.io/en/stable/reference/storages.html
    """
    options = {"study_name": name, "pruner": SPACES[name].pruner}
    try:
        options["storage"] = backend = _storage(storage)
        # `create_study` anota en el diario también cuando el estudio ya existe.
        exists = name in optuna.get_all_study_names(backend)
        study = optuna.load_study(**options) if exists else optuna.create_study(**options, load_if_exists=True)
    except Exception as error:  # los de cada base de datos son suyos, y en inglés
        shown = re.sub("//.*@", "//…@", str(storage))
        raise ValueError(
            f"storage: se recibió {shown!r}, que no se puede abrir ({type(error).__name__}), y se admite el fichero de "
            "un diario o la URL de una base de datos, como postgresql+psycopg://usuario@máquina/base."
        ) from error
    if data and study.user_attrs.get("data", data.digest) != data.digest:
        raise ValueError(f"data_path: el estudio {name!r} de ese almacén es de otros datos; se admite otro almacén.")
    if data and "data" not in study.user_attrs:
        study.set_user_attr("data", data.digest)
    return study


def reader_study(
    name: str, data: Dataset, *, n_trials: int = 0, storage: str | None = None, published: bool = True
) -> optuna.Study:
    """El estudio que enseña un cuaderno, con `n_trials` ensayos más que se corren aquí.

    Sin `storage`, es una copia en memoria del publicado, que así no se toca; vacía si `published` es falso, porque los
    datos son otros y aquellos ensayos no valen para ellos.
    """
    place, path = storage or optuna.storages.InMemoryStorage(), STUDIES_PATH / f"{name}.log"
    if not storage and published and path.exists():
        optuna.copy_study(from_study_name=name, from_storage=_storage(path), to_storage=place)
    study = open_study(name, place, data)
    if n_trials:
        search(study, data, n_trials=_count(study) + n_trials, verbose=False)
    return study


class _Lock(JournalFileOpenLock):
    """El cerrojo del diario, que se suelta solo a los diez segundos de morir quien lo tenía.

    Al tomarlo quita la última línea si un corte la dejó a medias: Optuna escribiría detrás, y nadie leería lo demás.
    """

    def __init__(self, journal: Path):
        super().__init__(str(journal), grace_period=10)
        self.journal = journal

    def acquire(self) -> bool:
        acquired = super().acquire()
        with self.journal.open("rb+") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            if file.read() not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return acquired


def _storage(storage: str | Path | optuna.storages.BaseStorage) -> optuna.storages.BaseStorage:
    if isinstance(storage, optuna.storages.BaseStorage):
        return storage
    if "://" in str(storage):
        return _database(str(storage))
    path = Path(storage)
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.JournalStorage(JournalFileBackend(str(path), _Lock(path)))


def _database(url: str, attempts: int = 3) -> optuna.storages.RDBStorage:
    try:
        return optuna.storages.RDBStorage(url, heartbeat_interval=15, grace_period=45)
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
        if attempts == 1:
            raise
        time.sleep(1)  # dos procesos que estrenan la base a la vez chocan al crear las tablas
        return _database(url, attempts - 1)


def search(
    study: optuna.Study,
    data: Dataset,
    *,
    n_trials: int,
    timeout: float | None = None,
    seed: int | None = None,
    verbose: bool = True,
) -> None:
    """Sigue un estudio hasta que tenga `n_trials` ensayos terminados entre todos los procesos que lo comparten.

    Primero van los ensayos diseñados. Cada ensayo entrena con la semilla 0, informa de la pérdida de validación de cada
    época, que es lo que se minimiza y lo que decide si se poda, y guarda parámetros, exactitud, segundos y versiones.
    Uno cuya pérdida deja de ser finita se da por podado. Los que dejó a medias un proceso muerto se repiten.

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
    seed : int, optional
        Semilla del muestreador, que se combina con el número de cada ensayo: ni al reanudar ni en otro proceso se
        repiten los mismos sorteos. Sin ella, una distinta cada vez.
    verbose : bool
        Si muestra una barra con el tiempo que queda.
    """
    _requeue(study)
    if _count(study, TAKEN) >= n_trials:
        return

    def objective(trial: Trial) -> float:
        if _is_late(trial, n_trials):
            return math.nan  # Optuna lo da por fallido
        if seed is not None:
            mixed = np.random.SeedSequence([seed, trial.number]).generate_state(1)
            study.sampler = optuna.samplers.TPESampler(seed=int(mixed[0]))
        return _objective(trial, SPACES[study.study_name], data)

    def advance(study: optuna.Study, _: FrozenTrial) -> None:
        _requeue(study)
        bar.update(_count(study) - bar.n)

    done = _count(study)
    with tqdm(total=n_trials, initial=done, desc=study.study_name, disable=not verbose) as bar:
        stop = optuna.study.MaxTrialsCallback(n_trials, TAKEN)
        study.optimize(objective, timeout=timeout, callbacks=[advance, stop])


def _count(study: optuna.Study, states: tuple[TrialState, ...] = FINISHED) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


def _is_late(trial: Trial, n_trials: int) -> bool:
    """Si otro proceso se adelantó: antes que este ensayo hay ya `n_trials` sin fallo, o uno con sus parámetros.

    Los números de los ensayos crecen, así que dos procesos no pueden concluir a la vez que el suyo es el último.
    """
    trials = trial.study.get_trials(deepcopy=False)
    earlier = [other for other in trials[: trial.number] if other.state != TrialState.FAIL]
    params = _params(trials[trial.number])
    return len(earlier) >= n_trials or (bool(params) and _is_held(params, earlier))


def _requeue(study: optuna.Study) -> None:
    """Da por fallidos los ensayos de procesos muertos, y pone en espera los diseñados y los fallidos que falten."""
    optuna.storages.fail_stale_trials(study)  # en una base de datos, los que no tienen latido
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial, hasattr(study._storage, "record_heartbeat")):
            with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # otro se adelantó
                study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    wanted = SPACES[study.study_name].designed + [_params(trial) for trial in trials if trial.state == TrialState.FAIL]
    for params in [params for params in wanted if not _is_held(params, trials)]:
        if not _is_held(params, study.get_trials(deepcopy=False)):  # otro proceso pudo ponerlo mientras tanto
            study.enqueue_trial(params)


def _is_held(params: dict[str, float | str], trials: list[FrozenTrial]) -> bool:
    return any(params.items() <= _params(trial).items() for trial in trials if trial.state != TrialState.FAIL)


def _params(trial: FrozenTrial) -> dict[str, float | str]:
    return trial.system_attrs.get("fixed_params", {}) | trial.params


def _is_dead(trial: FrozenTrial, has_heartbeat: bool) -> bool:
    """Si ya no lo corre nadie: empezó hace más de un día o, donde no hay latido, murió su proceso en esta máquina."""
    if datetime.now() - trial.datetime_start > timedelta(days=1):
        return True
    owner = trial.user_attrs.get("process", {})
    if has_heartbeat or owner.get("machine") != _process()["machine"]:
        return False
    try:
        # Otro proceso con el mismo número es posterior al ensayo.
        return psutil.Process(owner["pid"]).create_time() > trial.datetime_start.timestamp()
    except psutil.NoSuchProcess:
        return True


def _process() -> dict[str, str | int]:
    return {"machine": hashlib.sha256(platform.node().encode()).hexdigest()[:8], "pid": os.getpid()}


def _objective(trial: Trial, space: Space, data: Dataset) -> float:
    trial.set_user_attr("process", _process())
    trial.set_user_attr("versions", {"keras": keras.__version__, "tensorflow": tf.__version__})
    model, options = space.suggest(trial, data)
    trial.set_user_attr("parameters", model.count_params())
    try:
        run = train(model, data, train_metrics=False, callbacks=lambda _: [_Report(trial)], verbose=False, **options)
    except FloatingPointError as error:
        raise optuna.TrialPruned from error
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


def rebuild(study: optuna.Study, trial: FrozenTrial, data: Dataset) -> Candidate:
    """La red de un ensayo, para entrenarla otra vez."""
    return SPACES[study.study_name].suggest(optuna.trial.FixedTrial(trial.params), data)


def importance(study: optuna.Study) -> dict[str, float]:
    """Qué fracción de la pérdida explica cada hiperparámetro, de los que tienen todos los ensayos; suman 1.

    References
    ----------
    S. Watanabe et al., "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces", 2023.
    """
    shared = optuna.search_space.intersection_search_space(study.get_trials(deepcopy=False))
    return optuna.importance.get_param_importances(study, params=list(shared))


def best_recipe(study: optuna.Study, data: Dataset, epochs: int) -> Recipe:
    """La receta del mejor ensayo de un estudio de Q5, con otras épocas; de uno vacío, la del primero diseñado."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    params = study.best_trial.params if finished else SPACES[study.study_name].designed[0]
    return recipe(optuna.trial.FixedTrial(params), data, BUDGETS[study.study_name], epochs)


def main(arguments: list[str] | None = None) -> None:
    """Sigue un estudio desde la terminal."""
    parser = argparse.ArgumentParser(
        "python -m tarea4.search",
        argparse.SUPPRESS,  # argparse diría «usage»
        "python -m tarea4.search [opciones] sigue un estudio de hiperparámetros hasta que tenga los ensayos pedidos. "
        "Se puede cortar y repetir en cualquier momento, y correr a la vez en varios procesos o máquinas que "
        "compartan el almacén.",
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
        argument_default=argparse.SUPPRESS,
    )
    options = parser.add_argument_group("opciones")
    options.add_argument("--help", "-h", action="help", help="muestra esta ayuda")
    for name, field in Search.model_fields.items():
        default = "ninguno" if field.default in (None, "") else field.default
        options.add_argument(
            f"--{name.replace('_', '-')}", metavar="VALOR", help=f"{field.description} (por omisión, {default})"
        )
    defaults = {name: field.default for name, field in Search.model_fields.items()}
    try:
        given, unknown = parser.parse_known_args(arguments)
        if unknown:
            raise ValueError(
                f"opción desconocida '{unknown[0]}': se admiten --{', --'.join(defaults)}.".replace("_", "-")
            )
        p = check_parameters(defaults | vars(given), Search)
        data = load(p.data_path)
        study = open_study(p.study, p.storage or f"estudios/{p.study}.log", data)
    except argparse.ArgumentError as error:
        sys.exit(f"{error.argument_name}: falta su valor.")
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    try:
        search(study, data, n_trials=p.n_trials, timeout=p.timeout, seed=p.seed)
    except KeyboardInterrupt:
        sys.exit("Cortado: la misma orden sigue donde se quedó.")
    best = min((trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))), default=math.nan)
    print(f"{p.study}: {_count(study)} ensayos terminados; la menor pérdida de validación, {best:.4f}.")


if __name__ == "__main__":
    main()

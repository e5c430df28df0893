"""Un estudio de Optuna en un archivo o en una base de datos: se abre, se sigue, se reanuda y se reparte."""

import contextlib
import functools
import hashlib
import json
import math
import os
import platform
import re
import time
import warnings
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import keras
import numpy as np
import optuna
import psutil
import sqlalchemy
import tensorflow as tf
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, journal
from optuna.study import MaxTrialsCallback, Study
from optuna.trial import BaseTrial, FrozenTrial, Trial, TrialState
from tqdm import tqdm

from tarea4.data import Dataset, pooled
from tarea4.evaluation import confusion, evaluate, measured_senses, predict
from tarea4.search.recipes import Recipe
from tarea4.search.spaces import SEARCHING, SPACES
from tarea4.statistics import calibration
from tarea4.training import Run, Training, train_all

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (*FINISHED, TrialState.RUNNING)
MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]  # esta, sin decir su nombre
optuna.logging.set_verbosity(optuna.logging.ERROR)  # en inglés, y una línea por ensayo
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # lo son el latido y su comprobación


class _Lock(journal.JournalFileOpenLock):
    """El cerrojo del diario, que se suelta solo a los diez segundos de morir quien lo tenía."""

    def __init__(self, path: Path):
        super().__init__(str(path), grace_period=10)
        self.path = path

    def acquire(self) -> bool:
        acquired = super().acquire()
        # Una línea que un corte dejó a medias se quita: Optuna escribiría detrás, y nadie leería lo demás.
        with self.path.open("rb+") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            if file.read() not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return acquired


def open_storage(storage: str | Path | BaseStorage, attempts: int = 3) -> BaseStorage:
    """El almacén de un archivo, que se crea si no existe, o de la URL de una base de datos; si ya lo es, el mismo."""
    if isinstance(storage, BaseStorage):
        return storage
    if "://" not in str(storage):
        path = Path(storage)
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(journal.JournalFileBackend(str(path), _Lock(path)))
    try:
        return RDBStorage(storage, heartbeat_interval=15, grace_period=45)
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
        if attempts == 1:
            raise
        time.sleep(1)  # dos procesos que estrenan la base a la vez chocan al crear las tablas
        return open_storage(storage, attempts - 1)


def open_study(name: str, storage: str | Path | BaseStorage, data: Dataset | None = None) -> Study:
    """Abre un estudio de `SPACES` (T. Akiba et al., "Optuna", KDD 2019), o lo crea; uno que existe no se modifica.

    `storage` es como en `open_storage`. Un estudio nuevo queda ligado a los datos, si se dan. ValueError si el estudio
    es de otros datos o el almacén no se puede abrir.
    """
    options = {"study_name": name, "pruner": SPACES[name].pruner}
    try:
        options["storage"] = open_storage(storage)
        # `create_study` anota en el diario también cuando el estudio ya existe.
        exists = name in optuna.get_all_study_names(options["storage"])
        study = optuna.load_study(**options) if exists else optuna.create_study(**options, load_if_exists=True)
    except Exception as error:  # los de cada base de datos son suyos, y en inglés
        shown = re.sub("//.*@", "//…@", str(storage))
        raise ValueError(
            f"storage: se recibió {shown!r}, que no se puede abrir ({type(error).__name__}), y se admite el archivo de "
            "un diario o la URL de una base de datos, como postgresql+psycopg://usuario@máquina/base."
        ) from error
    if data and study.user_attrs.get("data", data.digest) != data.digest:
        raise ValueError(f"data_path: el estudio {name!r} de ese almacén es de otros datos; se admite otro almacén.")
    if data and "data" not in study.user_attrs:
        study.set_user_attr("data", data.digest)
    return study


def count(study: Study, states: tuple[TrialState, ...] = FINISHED) -> int:
    """Cuántos ensayos de un estudio están en uno de esos estados."""
    return len(study.get_trials(deepcopy=False, states=states))


def search(
    study: Study, data: Dataset, *, n_trials: int, timeout: float = math.inf, seed: int | None = None, bar: bool = True
) -> None:
    """Sigue un estudio hasta que tenga `n_trials` ensayos terminados, podados incluidos, entre quienes lo comparten.

    Primero van los diseñados, que en una rejilla son todos. Cada ensayo entrena con su semilla o con la primera que
    busca, minimiza la pérdida de validación y guarda lo medido, en qué época, los segundos, las versiones y un resumen
    de lo entrenado. Si la pérdida deja de ser finita, se da por podado; los que dejó a medias un proceso muerto se
    repiten. Tras `timeout` segundos no se empieza otro. `seed`, la del muestreador, se combina con el número de cada
    ensayo: ningún sorteo se repite al reanudar.
    """
    space = SPACES[study.study_name]
    n_trials = len(space.designed()) if space.grid else n_trials  # una rejilla se acaba entera
    _requeue(study)
    if count(study, TAKEN) >= n_trials:
        return
    study.sampler = _sampler()
    objective = functools.partial(_objective, data=data, n_trials=n_trials, seed=seed)
    with tqdm(total=n_trials, initial=count(study), desc=study.study_name, disable=not bar) as shown:
        advance = [_requeue, lambda study, _: shown.update(count(study) - shown.n)]
        study.optimize(objective, timeout=timeout, callbacks=[*advance, MaxTrialsCallback(n_trials, TAKEN)])


def _objective(trial: Trial, data: Dataset, n_trials: int, seed: int | None) -> float:
    space = SPACES[trial.study.study_name]

    def report(epoch: int, logs: dict[str, float]) -> None:
        trial.report(logs["val_loss"], epoch + 1)
        if trial.should_prune():
            raise optuna.TrialPruned

    trials = trial.study.get_trials(deepcopy=False)
    earlier = [other for other in trials[: trial.number] if other.state != TrialState.FAIL]
    params = _params_of(trials[trial.number])
    # Si otro proceso se adelantó, Optuna da este ensayo por fallido; los números crecen, y no lo son los dos a la vez.
    if len(earlier) >= n_trials or (params and _is_held(params, earlier)):
        return math.nan
    if seed is not None:
        trial.study.sampler = _sampler(seed, trial.number)
    trial.set_user_attr("process", {"machine": MACHINE, "pid": os.getpid()})
    trial.set_user_attr("versions", {"keras": keras.__version__, "tensorflow": tf.__version__})
    training, images = proposed(trial.study.study_name, trial, data)
    trial.set_user_attr("parameters", training.model.count_params())
    trial.set_user_attr("trained", fingerprint(training))
    options = {"verbose": False}
    if not space.grid:
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=report)]
        options |= {"train_metrics": False, "callbacks": lambda _: callbacks}
    try:
        seeds = [trial.suggest_int("seed", 0, 2**31)] if space.grid else SEARCHING[:1]
        [run] = train_all({"": replace(training, **options)}, images, seeds)[""]
    except FloatingPointError as error:
        raise optuna.TrialPruned from error
    for name, value in measure(run, images if space.tested else None).items():
        trial.set_user_attr(name, value)
    return run.best("val_loss")


def proposed(name: str, trial: BaseTrial, data: Dataset) -> tuple[Training, Dataset]:
    """Lo que entrena un ensayo de ese estudio, y con qué imágenes."""
    found = SPACES[name].suggest(trial, data)
    if not isinstance(found, Recipe):
        return found, data
    images = pooled(data) if found.pool else data
    return found.training(images, train_metrics=False), images


def fingerprint(training: Training) -> str:
    """Resumen de lo que se entrena, red y opciones, sin los nombres que Keras numera: cambia si cambia la receta."""
    config = json.dumps(keras.saving.serialize_keras_object(training.model), sort_keys=True)
    config = re.sub('"(name|shared_object_id)": [^,}]+', "", config)
    parts = [config, training.epochs, training.batch_size, training.augment is not None]
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


def _sampler(*entropy: int) -> optuna.samplers.BaseSampler:
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0]) if entropy else None
    return optuna.samplers.TPESampler(seed=seed)


def _requeue(study: Study, _: FrozenTrial | None = None) -> None:
    """Da por fallidos los ensayos de procesos muertos, y pone en espera los diseñados y los fallidos que falten."""
    optuna.storages.fail_stale_trials(study)  # en una base de datos, los que no tienen latido
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial, hasattr(study._storage, "record_heartbeat")):
            with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # otro se adelantó
                study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    failed = [_params_of(trial) for trial in trials if trial.state == TrialState.FAIL]
    for params in [*SPACES[study.study_name].designed(), *failed]:
        # Otro proceso pudo ponerlo mientras tanto.
        if not _is_held(params, trials) and not _is_held(params, study.get_trials(deepcopy=False)):
            study.enqueue_trial(params)


def _is_held(params: dict[str, float | str], trials: list[FrozenTrial]) -> bool:
    """Si alguno de esos ensayos, que no falló, tiene esos parámetros."""
    return any(params.items() <= _params_of(trial).items() for trial in trials if trial.state != TrialState.FAIL)


def _params_of(trial: FrozenTrial) -> dict[str, float | str]:
    """Los parámetros de un ensayo, o los que tendrá si está en espera."""
    return trial.system_attrs.get("fixed_params", {}) | trial.params


def _is_dead(trial: FrozenTrial, has_heartbeat: bool) -> bool:
    """Si ya no lo corre nadie: empezó hace más de un día o, donde no hay latido, murió su proceso en esta máquina."""
    if datetime.now() - trial.datetime_start > timedelta(days=1):
        return True
    owner = trial.user_attrs.get("process", {})
    if has_heartbeat or owner.get("machine") != MACHINE:
        return False
    started = {process.pid: process.info["create_time"] for process in psutil.process_iter(["create_time"])}
    return started.get(owner["pid"], math.inf) > trial.datetime_start.timestamp()  # si es posterior, es otro proceso

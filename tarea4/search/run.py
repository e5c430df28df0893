"""Un estudio de Optuna en un archivo o en una base de datos: se abre, se sigue, se reanuda y se reparte."""

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import re
import tempfile
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
from optuna.storages.journal._file import get_lock_file
from optuna.study import MaxTrialsCallback, Study
from optuna.trial import FixedTrial, FrozenTrial, Trial, TrialState
from tqdm import tqdm

from tarea4.data import Dataset
from tarea4.search.order import KerasFit
from tarea4.search.spaces import SEARCHING, SPACES, fingerprint, measure, proposed
from tarea4.training import train_all

Storage = str | Path | BaseStorage  # un archivo, la URL de una base de datos o un almacén de Optuna
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (*FINISHED, TrialState.RUNNING)
MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]  # esta, sin decir su nombre
WHY = {errno.ENOENT: "que no existe", errno.ENOSPC: "donde no cabe más", errno.EROFS: "que es de solo lectura"}
optuna.logging.set_verbosity(optuna.logging.ERROR)  # en inglés, y una línea por ensayo
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # lo son el latido y su comprobación


class _Journal(journal.JournalFileBackend):
    """Un diario que ya está, sin líneas a medias; su cerrojo se suelta a los diez segundos de morir quien lo tenía."""

    def __init__(self, path: Path):
        path.open("rb").close()  # Optuna crearía el que no está
        super().__init__(str(path), journal.JournalFileOpenLock(str(path), grace_period=10))

    def append_logs(self, logs: list[dict]) -> None:
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with get_lock_file(self._lock), open(self._file_path, "rb+", buffering=0) as file:
            half = file.read().rpartition(b"\n")[2]
            if half:  # detrás de lo que un corte dejó a medias nadie leería nada: se aparta
                with open(f"{self._file_path}.cortado", "ab") as aside:
                    aside.write(half + b"\n")
            file.truncate(end := file.seek(-len(half), os.SEEK_END))
            if file.write(text) < len(text):
                file.truncate(end)
                raise OSError(errno.ENOSPC, "")
            os.fsync(file.fileno())


def open_storage(storage: Storage, *, new: bool = False, attempts: int = 3) -> BaseStorage:
    """El almacén de un archivo que ya está o de la URL de una base de datos, que solo con `new` puede estar vacía."""
    if isinstance(storage, BaseStorage):
        return storage
    if "://" not in str(storage):
        return JournalStorage(_Journal(Path(storage)))
    url, tables = sqlalchemy.make_url(storage), []
    if url.get_backend_name() != "sqlite" or Path(url.database).exists():  # SQLite crearía la que no está
        tables = sqlalchemy.inspect(sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)).get_table_names()
    if "studies" not in tables and (tables or not new):
        raise LookupError
    try:
        return RDBStorage(storage, heartbeat_interval=15, grace_period=45)
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
        if attempts == 1:
            raise
        time.sleep(1)  # dos procesos que estrenan la base a la vez chocan al crear las tablas
        return open_storage(storage, new=new, attempts=attempts - 1)


def open_study(name: str, storage: Storage, data: Dataset | None = None, *, create: bool = False) -> Study:
    """Abre un estudio de `SPACES` (T. Akiba et al., "Optuna", KDD 2019), sin escribir nada.

    `storage` es como en `open_storage`. Con `create`, el que no está se crea, ligado a los datos, en una base de datos
    o en un archivo nuevo de una carpeta que exista. ValueError si no se encuentra o es de otros datos.
    """
    try:
        place = _create(name, storage, data) if create else open_storage(storage)
        study = optuna.load_study(study_name=name, storage=place, pruner=SPACES[name].pruner)
    except Exception as error:  # los de cada base de datos son suyos, y en inglés
        raise ValueError(refusal(storage, error)) from error
    if data and study.user_attrs.get("data") != data.digest:
        raise ValueError(f"data_path: el estudio {name!r} de ese almacén es de otros datos; se admite otro almacén.")
    return study


def _create(name: str, storage: Storage, data: Dataset) -> BaseStorage:
    """Un almacén con el estudio; su archivo, si es nuevo, aparece ya entero, aunque lo creen dos procesos a la vez."""
    if isinstance(storage, BaseStorage) or "://" in str(storage):
        place = open_storage(storage, new=True)
        study = optuna.create_study(study_name=name, storage=place, load_if_exists=True)
        if not (study.user_attrs or study.get_trials(deepcopy=False)):
            study.set_user_attr("data", data.digest)
        return place
    if not (path := Path(storage)).exists():
        with tempfile.TemporaryDirectory(prefix=path.name, dir=path.parent) as folder:
            _create(name, JournalStorage(journal.JournalFileBackend(f"{folder}/nuevo")), data)
            with contextlib.suppress(FileExistsError):
                os.link(f"{folder}/nuevo", path)
    return open_storage(path)


def refusal(storage: Storage, error: Exception) -> str:
    """Por qué no sirve un almacén, en una frase."""
    why = WHY.get(getattr(error, "errno", None), f"que no se puede abrir como ese estudio ({type(error).__name__})")
    admitted = "su archivo, otro que no exista en una carpeta que sí o la URL de una base de datos, como"
    shown = re.sub("//.*@", "//…@", str(storage))
    return f"storage: se recibió {shown!r}, {why}, y se admite {admitted} postgresql+psycopg://usuario@máquina/base."


def count(study: Study, states: tuple[TrialState, ...] = FINISHED) -> int:
    """Cuántos ensayos de un estudio están en uno de esos estados."""
    return len(study.get_trials(deepcopy=False, states=states))


def search(
    study: Study, data: Dataset, *, n_trials: int, timeout: float = math.inf, seed: int | None = None, bar: bool = True
) -> None:
    """Sigue un estudio hasta que tenga `n_trials` ensayos terminados, podados incluidos, entre quienes lo comparten.

    Primero van los diseñados, que en una rejilla son todos. Cada ensayo entrena con su semilla o con la primera que
    busca, minimiza la pérdida de validación y guarda lo medido, las versiones y un resumen de lo entrenado. Si la
    pérdida deja de ser finita, se da por podado; los que dejó a medias un proceso muerto se repiten. Tras `timeout`
    segundos no se empieza otro. `seed`, la del muestreador, se combina con el número de cada ensayo: ningún sorteo se
    repite al reanudar. ValueError, sin escribir nada, si lo que entrenó un ensayo ya no es lo que se propone.
    """
    space = SPACES[study.study_name]
    n_trials = len(space.designed()) if space.grid else n_trials  # una rejilla se acaba entera
    _check_space(study, data)
    _requeue(study)
    if count(study, TAKEN) >= n_trials:
        return
    with tqdm(total=n_trials, initial=count(study), desc=study.study_name, disable=not bar) as shown:
        after = [_requeue, lambda study, _: shown.update(count(study) - shown.n), MaxTrialsCallback(n_trials, TAKEN)]
        study.optimize(lambda trial: _objective(trial, data, n_trials, seed), timeout=timeout, callbacks=after)


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
    if len(earlier) >= n_trials or (params and _is_held(params, earlier)) or (space.grid and not params):
        return math.nan
    if seed is not None:
        drawn = np.random.SeedSequence((seed, trial.number)).generate_state(1)
        trial.study.sampler = optuna.samplers.TPESampler(seed=int(drawn[0]))
    trial.set_user_attr("process", {"machine": MACHINE, "pid": os.getpid()})
    trial.set_user_attr("versions", {"keras": keras.__version__, "tensorflow": tf.__version__})
    training, images = proposed(trial.study.study_name, trial, data)
    trial.set_user_attr("parameters", training.model.count_params())
    trial.set_user_attr("trained", fingerprint(training))
    callbacks = None if space.grid else lambda _: [keras.callbacks.LambdaCallback(on_epoch_end=report)]
    try:
        seeds = [trial.suggest_int("seed", 0, 2**31)] if space.grid else SEARCHING[:1]
        if isinstance(training, KerasFit):
            run = training.fit(images, seeds[0])
        else:
            [run] = train_all({"": replace(training, callbacks=callbacks, verbose=False)}, images, seeds)[""]
    except FloatingPointError as error:
        raise optuna.TrialPruned from error
    for name, value in measure(run, images if space.tested else None).items():
        trial.set_user_attr(name, value)
    return run.best("val_loss")


def _check_space(study: Study, data: Dataset) -> None:
    name, trials = study.study_name, study.get_trials(deepcopy=False, states=FINISHED)
    points = {str((trial.params | {"seed": 0}, trial.user_attrs.get("trained"))): trial for trial in trials}
    with contextlib.suppress(ValueError):  # a un ensayo de otro espacio le falta un parámetro
        now = [fingerprint(proposed(name, FixedTrial(trial.params), data)[0]) for trial in points.values()]
        extra = [trial for trial in trials if SPACES[name].grid and trial.params not in SPACES[name].designed()]
        if now == [trial.user_attrs.get("trained") for trial in points.values()] and not extra:
            return
    raise ValueError(f"storage: los ensayos de ese estudio {name!r} ya no son los que se proponen; se admite otro.")


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

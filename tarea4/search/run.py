"""Sigue un estudio de hiperparámetros con Optuna: se reanuda tras un corte y se reparte entre procesos."""

import contextlib
import hashlib
import math
import os
import platform
from dataclasses import replace
from datetime import datetime, timedelta

import keras
import numpy as np
import optuna
import psutil
import tensorflow as tf
from optuna.trial import FrozenTrial, Trial, TrialState
from tqdm import tqdm

from tarea4.data import Dataset
from tarea4.search.spaces import SPACES, Space
from tarea4.search.study import FINISHED, count
from tarea4.training import train_all

TAKEN = (*FINISHED, TrialState.RUNNING)


def search(
    study: optuna.Study,
    data: Dataset,
    *,
    n_trials: int,
    timeout: float | None = None,
    seed: int | None = None,
    verbose: bool = True,
) -> None:
    """Sigue un estudio hasta que tenga `n_trials` ensayos terminados, podados incluidos, entre quienes lo comparten.

    Primero van los ensayos diseñados. Cada uno entrena con la semilla 0, informa de la pérdida de validación de cada
    época, que es lo que se minimiza y decide si se poda, y guarda parámetros, exactitud, segundos y versiones. Uno cuya
    pérdida deja de ser finita se da por podado; los que dejó a medias un proceso muerto se repiten. Tras `timeout`
    segundos no se empieza otro. `seed`, la del muestreador, se combina con el número de cada ensayo: ni al reanudar ni
    en otro proceso se repiten los mismos sorteos.
    """
    requeue(study)
    if count(study, TAKEN) >= n_trials:
        return

    space = SPACES[study.study_name]
    study.sampler = _sampler(space)

    def objective(trial: Trial) -> float:
        if _is_late(trial, n_trials):
            return math.nan  # Optuna lo da por fallido
        if seed is not None:
            mixed = np.random.SeedSequence([seed, trial.number]).generate_state(1)
            study.sampler = _sampler(space, int(mixed[0]))
        return _objective(trial, space, data)

    def advance(study: optuna.Study, _: FrozenTrial) -> None:
        requeue(study)
        bar.update(count(study) - bar.n)

    done = count(study)
    with tqdm(total=n_trials, initial=done, desc=study.study_name, disable=not verbose) as bar:
        stop = optuna.study.MaxTrialsCallback(n_trials, TAKEN)
        study.optimize(objective, timeout=timeout, callbacks=[advance, stop])


def _sampler(space: Space, seed: int | None = None) -> optuna.samplers.BaseSampler:
    sampler = optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.PartialFixedSampler(space.fixed, sampler) if space.fixed else sampler


def _is_late(trial: Trial, n_trials: int) -> bool:
    """Si otro proceso se adelantó: antes que este ensayo hay ya `n_trials` sin fallo, o uno con sus parámetros.

    Los números de los ensayos crecen, así que dos procesos no pueden concluir a la vez que el suyo es el último.
    """
    trials = trial.study.get_trials(deepcopy=False)
    earlier = [other for other in trials[: trial.number] if other.state != TrialState.FAIL]
    params = _params_of(trials[trial.number])
    return len(earlier) >= n_trials or (bool(params) and _is_held(params, earlier))


def _objective(trial: Trial, space: Space, data: Dataset) -> float:
    trial.set_user_attr("process", _process())
    trial.set_user_attr("versions", {"keras": keras.__version__, "tensorflow": tf.__version__})
    proposed = space.suggest(trial, data)
    trial.set_user_attr("parameters", proposed.model.count_params())
    training = replace(proposed, train_metrics=False, callbacks=lambda _: [_Report(trial)], verbose=False)
    try:
        [run] = train_all({"": training}, data, [0])[""]
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


def requeue(study: optuna.Study) -> None:
    """Da por fallidos los ensayos de procesos muertos, y pone en espera los diseñados y los fallidos que falten."""
    optuna.storages.fail_stale_trials(study)  # en una base de datos, los que no tienen latido
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial, hasattr(study._storage, "record_heartbeat")):
            with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # otro se adelantó
                study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    wanted = SPACES[study.study_name].designed + [
        _params_of(trial) for trial in trials if trial.state == TrialState.FAIL
    ]
    for params in [params for params in wanted if not _is_held(params, trials)]:
        if not _is_held(params, study.get_trials(deepcopy=False)):  # otro proceso pudo ponerlo mientras tanto
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
    if has_heartbeat or owner.get("machine") != _process()["machine"]:
        return False
    try:
        # Otro proceso con el mismo número es posterior al ensayo.
        return psutil.Process(owner["pid"]).create_time() > trial.datetime_start.timestamp()
    except psutil.NoSuchProcess:
        return True


def _process() -> dict[str, str | int]:
    """Este proceso, sin decir el nombre de la máquina."""
    return {"machine": hashlib.sha256(platform.node().encode()).hexdigest()[:8], "pid": os.getpid()}

"""Recupera los ensayos que un proceso muerto dejó a medias, para que otro los repita."""

import contextlib
import hashlib
import os
import platform
from datetime import datetime, timedelta

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from tarea4.spaces import SPACES


def requeue(study: optuna.Study) -> None:
    """Da por fallidos los ensayos de procesos muertos, y pone en espera los diseñados y los fallidos que falten."""
    optuna.storages.fail_stale_trials(study)  # en una base de datos, los que no tienen latido
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial, hasattr(study._storage, "record_heartbeat")):
            with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # otro se adelantó
                study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    wanted = SPACES[study.study_name].designed + [
        params_of(trial) for trial in trials if trial.state == TrialState.FAIL
    ]
    for params in [params for params in wanted if not is_held(params, trials)]:
        if not is_held(params, study.get_trials(deepcopy=False)):  # otro proceso pudo ponerlo mientras tanto
            study.enqueue_trial(params)


def is_held(params: dict[str, float | str], trials: list[FrozenTrial]) -> bool:
    """Si alguno de esos ensayos, que no falló, tiene esos parámetros."""
    return any(params.items() <= params_of(trial).items() for trial in trials if trial.state != TrialState.FAIL)


def params_of(trial: FrozenTrial) -> dict[str, float | str]:
    """Los parámetros de un ensayo, o los que tendrá si está en espera."""
    return trial.system_attrs.get("fixed_params", {}) | trial.params


def _is_dead(trial: FrozenTrial, has_heartbeat: bool) -> bool:
    """Si ya no lo corre nadie: empezó hace más de un día o, donde no hay latido, murió su proceso en esta máquina."""
    if datetime.now() - trial.datetime_start > timedelta(days=1):
        return True
    owner = trial.user_attrs.get("process", {})
    if has_heartbeat or owner.get("machine") != process()["machine"]:
        return False
    try:
        # Otro proceso con el mismo número es posterior al ensayo.
        return psutil.Process(owner["pid"]).create_time() > trial.datetime_start.timestamp()
    except psutil.NoSuchProcess:
        return True


def process() -> dict[str, str | int]:
    """Este proceso, sin decir el nombre de la máquina."""
    return {"machine": hashlib.sha256(platform.node().encode()).hexdigest()[:8], "pid": os.getpid()}

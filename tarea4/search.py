"""Los estudios de hiperparámetros de Q4 y Q5, con Optuna: se reanudan tras un corte y se reparten entre procesos.

Desde una terminal: ``python -m tarea4.search --help``.
"""

import argparse
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import optuna
import tensorflow as tf
from optuna.trial import FrozenTrial, Trial, TrialState
from tqdm import tqdm

from tarea4.data import Dataset, load
from tarea4.parameters import Search, check_parameters
from tarea4.recovery import is_held, params_of, process, requeue
from tarea4.spaces import SPACES, Space
from tarea4.storage import open_storage
from tarea4.training import train_all

optuna.logging.set_verbosity(optuna.logging.ERROR)  # en inglés, y una línea por ensayo
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (*FINISHED, TrialState.RUNNING)


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
        options["storage"] = backend = open_storage(storage)
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


def count(study: optuna.Study, states: tuple[TrialState, ...] = FINISHED) -> int:
    """Cuántos ensayos de un estudio están en uno de esos estados."""
    return len(study.get_trials(deepcopy=False, states=states))


def _is_late(trial: Trial, n_trials: int) -> bool:
    """Si otro proceso se adelantó: antes que este ensayo hay ya `n_trials` sin fallo, o uno con sus parámetros.

    Los números de los ensayos crecen, así que dos procesos no pueden concluir a la vez que el suyo es el último.
    """
    trials = trial.study.get_trials(deepcopy=False)
    earlier = [other for other in trials[: trial.number] if other.state != TrialState.FAIL]
    params = params_of(trials[trial.number])
    return len(earlier) >= n_trials or (bool(params) and is_held(params, earlier))


def _objective(trial: Trial, space: Space, data: Dataset) -> float:
    trial.set_user_attr("process", process())
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
        default = "" if field.default in (None, "") else f" (por omisión, {field.default})"
        options.add_argument(f"--{name.replace('_', '-')}", metavar="VALOR", help=field.description + default)
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
    print(f"{p.study}: {count(study)} ensayos terminados; la menor pérdida de validación, {best:.4f}.")


if __name__ == "__main__":
    main()

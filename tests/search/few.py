"""Lo que se hace a mano en estas pruebas: espacios pequeños, ensayos ya terminados y la orden sin entrenar."""

import itertools
import time
from dataclasses import replace
from datetime import datetime, timedelta

import keras
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage, journal
from optuna.trial import TrialState

from tarea4.search import run
from tarea4.search.__main__ import main
from tarea4.search.spaces import SPACES, fingerprint
from tarea4.training import Run

POINTS = [
    {"hidden_sizes": "40-50-15", "dropout": 0.1, "alpha_l1": 1e-3, "alpha_l2": 0.0},
    {"hidden_sizes": "40-50-15", "dropout": 0.3, "alpha_l1": 0.0, "alpha_l2": 1e-2},
]
GRID = [point | {"seed": seed} for point, seed in itertools.product(POINTS, [1000, 1003])]


def few(name, epochs, designed=None):
    """El espacio de ese nombre, con esas épocas y, si se dan, esos ensayos diseñados."""
    space = SPACES[name]
    return space._replace(
        suggest=lambda trial, data: replace(space.suggest(trial, data), epochs=epochs),
        designed=space.designed if designed is None else lambda: designed,
    )


def pretended(trainings, data, seeds):
    """En vez de `train_all`, sin entrenar: de cada red y semilla, siempre igual historia, que no acaba en la mejor."""
    [training] = trainings.values()
    runs = []
    for seed in seeds:
        rng = np.random.default_rng([seed, int(fingerprint(training), 16)])
        history = {name: rng.uniform(0.1, 0.9, training.epochs).tolist() for name in ("val_loss", "val_accuracy")}
        history["val_loss"][-1] = 1.0
        for epoch, callback in itertools.product(range(training.epochs), (training.callbacks or (lambda _: []))(seed)):
            callback.on_epoch_end(epoch, {"val_loss": history["val_loss"][epoch]})
        runs.append(Run(training.model, seed, history, 0.1))
    return {"": runs}


KINDS = {float: FloatDistribution(-10, 10), int: IntDistribution(0, 2**31)}


def made(params, val_loss, *, epochs=4, best_epoch=2, pruned=False, **kept):
    """Un ensayo terminado en 90 segundos, con su menor pérdida en `best_epoch`."""
    losses = [val_loss + 0.01 * abs(epoch - best_epoch) for epoch in range(1, epochs + 1)]
    accuracies = [0.5 + 0.01 * epoch for epoch in range(1, epochs + 1)]
    history = {"val_loss": losses, "val_accuracy": accuracies}
    kept = {"parameters": 34_535, "val_accuracy": accuracies[best_epoch - 1], "history": history} | kept
    trial = optuna.trial.create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=val_loss,
        params=params,
        distributions={k: KINDS.get(type(v)) or CategoricalDistribution([v]) for k, v in params.items()},
        user_attrs=kept,
        intermediate_values=dict(enumerate(losses, 1)),
    )
    trial.datetime_start = datetime(2026, 11, 23, 12)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=90)
    return trial


def store(folder, name, data, trials):
    """Guarda en esa carpeta un estudio de esos datos con esos ensayos, y dice en qué archivo."""
    path = folder / f"{name}.log"
    study = optuna.create_study(study_name=name, storage=JournalStorage(journal.JournalFileBackend(str(path))))
    study.set_user_attr("data", data.digest)
    study.add_trials(trials)
    return path


def contents(folder):
    """Lo que hay en una carpeta: cada archivo con sus bytes, y las carpetas."""
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def pretend(arguments):
    """La orden, en otro proceso y sin entrenar: cada época de un ensayo dura una centésima."""
    wait = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.01))

    def slow(trainings, data, seeds):
        [training] = trainings.values()
        waiting = replace(training, callbacks=lambda seed: [*training.callbacks(seed), wait])
        return pretended({"": waiting}, data, seeds)

    run.train_all = slow
    main(arguments)

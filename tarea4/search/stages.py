"""Los estudios que parten de otros (finalistas, capas, atribución, «Más allá») y los que prueban lo que se supone."""

import functools
from dataclasses import replace

from optuna.trial import BaseTrial

from tarea4.data import Dataset, load, stratified
from tarea4.models import plain, printed_variant, q4_answer, regularised, try_01, try_02
from tarea4.report.q5 import LOG_2020
from tarea4.search import reading
from tarea4.search.order import ORDERS, KerasFit
from tarea4.search.recipes import Recipe
from tarea4.search.spaces import SIZES_2020, SPACES, Space, suggest_regularised, with_seeds
from tarea4.training import Training

CONFIRMING = range(5)  # las semillas de los cuadernos
FINALISTS, BATCHES = 5, (32, 64, 128, 256, 512)
SIZES = [SIZES_2020, "42", "41-36", "41-30-20", "39-39-39", "36-36-36-36-36", "25-45-25", "128", "128-64"]
NETWORKS_2020 = {"Try 01": try_01, "Try 02": try_02, "red del resumen": printed_variant, "respuesta a Q4": q4_answer}
PAIR = [*NETWORKS_2020][:2]  # las dos redes de la tarea
SPLITS = ("las últimas", *(f"reparto {seed}" for seed in range(1, 10)))  # qué imágenes validan
STEPS = ("simple", "+ normalización por lotes", "+ dropout", "+ alfas", "+ capas", "+ ruido y optimizador",
         "+ sus capas", "+ épocas")  # fmt: skip
COSINE = {"weight_decay": 0.05, "schedule": "coseno", "batch_size": 256}
SMALL = {"hidden_sizes": (142, 70, 32), "activation": "gelu", "learning_rate": 4e-3, "pool": True} | COSINE
SOFT = SMALL | {"dropout": 0.1, "dropout_hidden": 0.15, "epochs": 80}
LARGE = {"noise": 0.3, "noise_hidden": 0.3, "learning_rate": 3e-3} | COSINE
RECIPES = {  # las de «Más allá», que tardan minutos por semilla
    "imagen reducida": Recipe(**SOFT),
    "imagen reducida, suavizado de etiquetas": Recipe(**SOFT, label_smoothing=0.05),
    "imagen reducida, FGSM": Recipe(**SMALL, noise=0.1, epsilon=0.06, epochs=200),
    "grande": Recipe((1000, 500, 250, 250, 250), **LARGE, epochs=60),
    "grande, FGSM": Recipe((1000, 500, 250, 250), **LARGE, epsilon=0.1, epochs=80),
    "grande, transformaciones afines":
        Recipe((1024, 512), dropout=0.1, learning_rate=3e-3, augment=True, epochs=80, **COSINE),
}  # fmt: skip


@functools.cache
def _q4_finalists() -> list[dict]:
    best = reading.best_settings(reading.trials_table(reading.published("q4")), FINALISTS)
    return with_seeds({"hidden_sizes": SIZES_2020} | setting for setting in best)


@functools.cache
def _q5_sizes() -> list[dict]:
    winner = reading.q4_winner(load())
    return with_seeds({"hidden_sizes": sizes} | winner for sizes in SIZES)


@functools.cache
def _q5_finalists() -> list[dict]:
    complete = reading.trials_table(reading.published("q5")).query("not pruned")
    return with_seeds({"trial": int(number)} for number in complete["number"].head(FINALISTS))


def steps(data: Dataset) -> dict[str, Training | Recipe]:
    """De la red simple a la mejor, paso a paso: en cada uno cambia una sola cosa, la que su nombre dice."""
    winner, (_, found) = reading.q4_winner(data), reading.q5_recipe(data)
    sizes = tuple(map(int, reading.q5_sizes(data).split("-")))
    tried = reading.q4_points(data).query("dropout == @winner['dropout'] and alpha_l1 + alpha_l2 > 0")
    alphas = tried.iloc[0][["alpha_l1", "alpha_l2"]].to_dict() if len(tried) else {"alpha_l1": 1e-4, "alpha_l2": 1e-4}
    network = functools.partial(regularised, **data.sizes)
    trained = {
        "simple": plain(**data.sizes),
        "+ normalización por lotes": network(dropout=0.0),
        "+ dropout": network(dropout=winner["dropout"]),
        "+ alfas": network(dropout=winner["dropout"], **alphas),
        "+ capas": network(sizes, dropout=winner["dropout"], **alphas),
    }
    small = {"+ ruido y optimizador": replace(found, hidden_sizes=sizes), "+ sus capas": found}
    trained = {name: Training(model, train_metrics=False) for name, model in trained.items()}
    return trained | small | {"+ épocas": replace(found, epochs=3 * found.epochs)}


def in_order(order: str, data: Dataset) -> Training:
    """La red simple, entrenada en uno de los `ORDERS`."""
    fixed, new, _ = ORDERS
    fit = {fixed: KerasFit, new: functools.partial(KerasFit, reshuffled=True)}.get(order, Training)
    return fit(plain(**data.sizes), train_metrics=False)


def _recorded(trial: BaseTrial, data: Dataset) -> Training:
    model = NETWORKS_2020[trial.suggest_categorical("network", list(NETWORKS_2020))](**data.sizes)
    return Training(model, epochs=LOG_2020.index[-1], batch_size=trial.suggest_categorical("batch_size", BATCHES))


def _split(trial: BaseTrial, data: Dataset) -> tuple[Training, Dataset]:
    model = NETWORKS_2020[trial.suggest_categorical("network", PAIR)](**data.sizes)
    split = SPLITS.index(trial.suggest_categorical("split", SPLITS))
    return Training(model, train_metrics=False), stratified(data, split) if split else data


SPACES |= {
    "q4-finalistas": Space("los mejores ensayos de «q4», con las semillas que eligen", suggest_regularised,
        _q4_finalists, grid=True),
    "q5-capas": Space("otras capas, con el ajuste que ganó en Q4",
        functools.partial(suggest_regularised, choices=SIZES), _q5_sizes, grid=True),
    "q5-finalistas": Space("los mejores ensayos de «q5», con las semillas que eligen",
        lambda trial, data:
            reading.recipe(reading.published("q5").trials[trial.suggest_int("trial", 0, 10_000)], data)[1],
        _q5_finalists, grid=True),
    "atribucion": Space("de la red simple a la mejor, paso a paso",
        lambda trial, data: steps(data)[trial.suggest_categorical("step", STEPS)],
        lambda: with_seeds(({"step": step} for step in STEPS), CONFIRMING), grid=True, tested=True),
    "orden": Space("el orden de las imágenes, con fit de Keras y aquí",
        lambda trial, data: in_order(trial.suggest_categorical("order", ORDERS), data),
        lambda: with_seeds(({"order": order} for order in ORDERS), range(10)), grid=True, tested=True),
    "registro": Space("redes y lotes para las épocas que registró 2020", _recorded,
        lambda: with_seeds([{"network": net, "batch_size": n} for net in NETWORKS_2020 for n in BATCHES], CONFIRMING),
        grid=True),
    "reparto": Space("qué imágenes validan, con la red simple y la regularizada", _split,
        lambda: with_seeds([{"network": net, "split": split} for net in PAIR for split in SPLITS], CONFIRMING),
        grid=True, tested=True),
    "mas-alla": Space("recetas que tardan minutos",
        lambda trial, _: RECIPES[trial.suggest_categorical("recipe", list(RECIPES))],
        lambda: with_seeds(({"recipe": name} for name in RECIPES), CONFIRMING), grid=True, tested=True),
}  # fmt: skip

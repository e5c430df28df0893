"""Los cinco capítulos publicados siguen un protocolo y no se contradicen: la misma red da en todos la misma cifra."""

import inspect
import json
from pathlib import Path

import optuna
import pytest
from pages import glued
from reruns import recorded

from tarea4.models import plain, printed_variant, regularised, try_02
from tarea4.report import q4, words
from tarea4.search import reading
from tarea4.search.spaces import proposed
from tarea4.search.stages import SPACES
from tarea4.training import Training

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = [f"q{n}" for n in range(1, 6)]
SAME = {  # una red, y cómo la llama cada capítulo
    "la simple, con diez semillas": [("q1", "simple"), ("q4", "simple (Q3)")],
    "la simple, con cinco": [("q2", "softmax con entropía cruzada"), ("q3", "40-50-15")],
    "la regularizada de 2020": [("q1", "regularizado"), ("q4", "Try 02"), ("q5", "Try 02")],
}


@pytest.fixture(scope="module")
def records():
    """Lo que cada capítulo publicado anotó de sí mismo."""
    return {name: recorded(BOOK / f"{name}.ipynb")[1] for name in CHAPTERS}


def figures(record, model):
    """Lo que un capítulo dio de una red: por medida, parte y qué es (media, dispersión, semillas), su cifra."""
    rows = [r for r in record["results"] if r["model"] == model and r["quantity"] != "ECE"]
    return {(r["quantity"], r["split"], what): r[what] for r in rows for what in ("mean", "spread", "n")}


def test_chapters_share_the_protocol(records):
    """50 épocas, lotes de 128 y las mismas primeras semillas en los cinco, con MNIST y las mismas versiones."""
    for name, record in records.items():
        asked = record["parameters"]
        assert (asked["epochs"], asked["batch_size"], asked["seeds"][:5]) == (50, 128, [0, 1, 2, 3, 4]), name
        assert asked["seeds"] == [*range(len(asked["seeds"]))], name
    assert len({record["data"]["digest"] for record in records.values()}) == 1
    assert len({json.dumps(record["versions"]) for record in records.values()}) == 1


def test_networks_of_2020_and_their_grids_share_it_too(mnist):
    """Las redes de 2020 y lo que entrenan las rejillas que se comparan con ellas: Adam, 50 épocas, lotes de 128."""
    trained = [Training(network(**mnist.sizes)) for network in (plain, regularised, try_02, printed_variant)]
    for name in ("q3", "q4", "q4-rejilla", "q4-azar", "q4-finalistas", "q5-capas"):
        space = SPACES[name]
        params = space.designed()[0] if space.grid else reading.published(name).best_trial.params
        trained.append(proposed(name, optuna.trial.FixedTrial(params), mnist)[0])
    for training in trained:
        optimizer = training.model.optimizer
        assert (training.epochs, training.batch_size) == (50, 128)
        assert (type(optimizer).__name__, float(optimizer.learning_rate)) == ("Adam", pytest.approx(1e-3))
    assert inspect.signature(Training).parameters["epochs"].default == 50


@pytest.mark.parametrize("network", SAME)
def test_a_network_gives_one_figure(network, records):
    """La misma red con las mismas semillas da la misma pérdida y la misma exactitud en todos los capítulos."""
    first, *others = [figures(records[name], model) for name, model in SAME[network]]
    assert len(first) == 12
    for other in others:
        assert other == pytest.approx(first)  # las sumas pueden ir en otro orden


def test_q5_starts_where_q4_ends(records, mnist):
    """La red de partida de Q5 es la que Q4 elige, con sus cifras."""
    chosen = q4.label(**reading.q4_winner(mnist))
    assert figures(records["q5"], "40-50-15") == pytest.approx(figures(records["q4"], chosen))


@pytest.mark.parametrize("name", ["q1", "q5"])
def test_front_page_says_what_the_chapter_measured(name, records):
    """Las cifras de prueba de la portada y de las conclusiones son las que el capítulo anotó."""
    said = glued(BOOK / f"{name}.ipynb")[f"{name}_today"]
    stated = [r for r in records[name]["results"] if r["quantity"] == "pérdida" and r["split"] == "prueba"]
    shown = [r for r in stated if f"{words.number(r['mean'])} ±" in said]
    assert len(shown) == said.count("pérdida") > 0

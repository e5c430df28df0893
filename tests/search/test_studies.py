"""Prueba `tarea4.studies`: lo que lee un cuaderno es el estudio publicado, que no se toca."""

import hashlib

import pytest
from optuna.trial import TrialState

from tarea4.search import reading as studies
from tarea4.search.reading import STUDIES_PATH, best_recipes, reader_study, trials_table
from tarea4.search.recipes import BUDGET_2020
from tarea4.search.run import FINISHED
from tarea4.search.spaces import NOISY

PUBLISHED = {"q4": 150, "q5-presupuesto": 200, "q5-largo": 50, "q5-libre": 40}


@pytest.mark.parametrize(("name", "n_trials"), PUBLISHED.items())
def test_published_studies_are_read_whole(mnist, name, n_trials):
    """Los estudios publicados tienen sus ensayos, con curva, parámetros y segundos; leerlos no escribe."""
    path = STUDIES_PATH / f"{name}.log"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    table = trials_table(reader_study(name, mnist))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert len(table) >= n_trials
    assert (table["epochs"] >= 1).all()
    assert (table["seconds"] > 0).all()
    assert not name.startswith("q5") or name == "q5-libre" or table["parameters"].max() <= BUDGET_2020


def test_more_trials_go_to_a_copy(small, monkeypatch, tmp_path):
    """Con otros datos el estudio empieza vacío; `n_trials` añade ensayos y no deja nada en el disco."""
    monkeypatch.setattr(studies, "STUDIES_PATH", tmp_path)
    assert trials_table(reader_study("q4", small, published=False)).empty
    study = reader_study("q4", small, n_trials=2)
    assert len(study.get_trials(states=FINISHED)) == 2
    assert list(tmp_path.iterdir()) == []


def test_another_storage_is_continued(small, tmp_path):
    """Con un almacén, los ensayos quedan en él y la siguiente lectura los cuenta."""
    storage = str(tmp_path / "q4.log")
    for expected in (1, 2):
        assert len(trials_table(reader_study("q4", small, n_trials=1, storage=storage))) == expected


def test_best_recipes_are_those_of_the_best_trials(mnist):
    """Las recetas son las de los ensayos completos de menor pérdida, en orden; de un estudio vacío, la diseñada."""
    study = reader_study("q5-largo", mnist)
    found = best_recipes(study, mnist, 7, 3)
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    values = {trial.number: trial.value for trial in complete}
    assert [values[number] for number in found] == sorted(values.values())[:3]
    assert {recipe.epochs for recipe in found.values()} == {7}
    assert next(iter(found.values())).noise == study.best_trial.params["noise"]
    (designed,) = best_recipes(reader_study("q5-largo", mnist, published=False), mnist, 7, 3).values()
    assert (designed.noise, len(designed.hidden_sizes)) == (NOISY["noise"], NOISY["n_layers"])

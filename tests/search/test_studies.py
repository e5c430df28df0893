"""Lo guardado en estudios/: está entero, es lo que dice ser, y leerlo no lo toca."""

import hashlib
import json

import few
import nbformat
import pandas as pd
import pytest
from optuna.trial import FixedTrial, TrialState

from tarea4.search import reading, run, stages
from tarea4.search.run import FINISHED, fingerprint, proposed
from tarea4.search.spaces import SEARCHING
from tarea4.search.stages import SPACES

PUBLISHED = list(SPACES)
BOOK = reading.STUDIES_PATH.with_name("book")


@pytest.fixture(scope="module")
def complete():
    """Por estudio, sus ensayos completos, leídos una vez; leerlos no cambia ningún archivo."""
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in reading.STUDIES_PATH.iterdir()}
    states = (TrialState.COMPLETE,)
    found = {name: reading.published(name).get_trials(deepcopy=False, states=states) for name in PUBLISHED}
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in reading.STUDIES_PATH.iterdir()} == before
    assert before.keys() == {f"{name}.log" for name in PUBLISHED}
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_stored_is_what_would_be_trained_today(name, complete, mnist, small):
    """La red y las opciones de cada punto guardado dan hoy el mismo resumen: si no, lo hecho es viejo."""
    seen, data = {}, small if name == "reparto" else mnist  # repartir todas las imágenes tarda, y no está en el resumen
    for trial in complete[name]:
        point = json.dumps({key: value for key, value in trial.params.items() if key != "seed"}, sort_keys=True)
        if point not in seen and len(seen) < 60:  # construir una red tarda centésimas
            seen[point] = fingerprint(proposed(name, FixedTrial(trial.params), data)[0])
        assert trial.user_attrs["trained"] == seen.get(point, trial.user_attrs["trained"]), point


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_grid_is_whole(name, complete):
    """De una rejilla están todos los puntos, una vez cada uno; de un estudio, los cincuenta ensayos que se leen."""
    trials = complete[name]
    if SPACES[name].grid:
        kept = [json.dumps(trial.params, sort_keys=True) for trial in trials]
        assert sorted(kept) == sorted(json.dumps(point, sort_keys=True) for point in SPACES[name].designed())
    else:
        assert len(reading.published(name).get_trials(deepcopy=False, states=FINISHED)) >= 50


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_measured_agrees_with_itself(name, complete, mnist):
    """La pérdida es la menor de su curva, y los fallos por dígito suman lo que falta a la exactitud de prueba."""
    for trial in complete[name]:
        assert trial.value == pytest.approx(
            min(trial.user_attrs["history"]["val_loss"]), rel=1e-4, abs=1e-5
        )  # cinco cifras, o cinco decimales
        assert {"keras", "tensorflow"} <= trial.user_attrs["versions"].keys()
        if SPACES[name].tested:
            wrong = round(len(mnist.y_test) * (1 - trial.user_attrs["test_accuracy"]))
            assert sum(trial.user_attrs["errors"]) == wrong


def test_seeds_that_choose_do_not_confirm():
    """Ninguna semilla de las que eligen está entre las de los cuadernos ni entre las que miden la atribución."""
    assert not set(SEARCHING) & set(stages.CONFIRMING)
    for path in BOOK.glob("q?.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        namespace = {}
        exec(next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])), namespace)
        assert namespace["seeds"], path
        assert not set(SEARCHING) & set(namespace["seeds"])


def test_more_trials_go_to_a_copy(small, monkeypatch, tmp_path):
    """Con otros datos el estudio empieza vacío; `n_trials` añade ensayos y no deja nada en el disco."""
    monkeypatch.setattr(reading, "STUDIES_PATH", tmp_path)
    monkeypatch.setattr(run, "train_all", few.pretended)
    assert reading.trials_table(reading.reader_study("q4", small)).empty
    study = reading.reader_study("q4", small, n_trials=2)
    assert len(study.get_trials(states=FINISHED)) == 2
    assert list(tmp_path.iterdir()) == []


POINTS = pd.DataFrame({
    "a": ["x", "y", "x", "y", "x", "y", "x"], "seed": [1000, 1000, 1001, 1001, 0, 0, 1002],
    "val_loss": [0.3, 0.2, 0.1, 0.4, 9.0, 0.0, 7.0], "val_accuracy": 0.9, "best_epoch": 4, "parameters": 10,
    "pruned": [False, False, False, False, False, False, True],
})  # fmt: skip


def test_points_are_means_of_the_seeds_that_choose():
    """Media, desviación y cuántas, de menor a mayor; las semillas que confirman y los podados no cuentan."""
    found = reading.points(POINTS, ["a"])
    assert found["a"].tolist() == ["x", "y"]
    assert found["val_loss"].tolist() == pytest.approx([0.2, 0.3])
    assert found["spread"].tolist() == pytest.approx([0.1 * 2**0.5, 0.1 * 2**0.5])
    assert found["n"].tolist() == [2, 2]


def test_other_data_have_no_stored_results(small):
    """Con otros datos no hay nada guardado, y se parte de lo que no depende de ello."""
    assert reading.stored("q3", small).empty
    assert reading.q4_winner(small) == {"dropout": 0.2, "alpha_l1": 0.0, "alpha_l2": 0.0}
    assert reading.q5_sizes(small) == "40-50-15"
    assert reading.q5_recipe(small)[0] == 0


def test_winners_come_from_the_stored_points(mnist):
    """Q4 elige el punto de menor media; Q5, capas que caben en los parámetros de 2020, y el mejor finalista."""
    best = reading.q4_points(mnist)
    assert (
        list(reading.q4_winner(mnist).values()) == best.loc[best["val_loss"].idxmin(), list(reading.SETTING)].tolist()
    )
    sizes = reading.points(reading.stored("q5-capas", mnist), ["hidden_sizes"]).set_index("hidden_sizes")
    small = sizes[sizes["parameters"] <= 34_535]
    assert reading.q5_sizes(mnist) == (best_sizes := small["val_loss"].idxmin())
    assert reading.q5_sizes(mnist, besides=best_sizes) == small["val_loss"].drop(best_sizes).idxmin()
    assert reading.q5_sizes(mnist, besides="128") == best_sizes  # la que no cabe no estaba
    finalists = reading.points(reading.stored("q5-finalistas", mnist), ["trial"]).set_index("trial")
    assert reading.q5_recipe(mnist)[0] == finalists["val_loss"].idxmin()


def test_each_step_changes_one_thing(mnist):
    """De un paso al siguiente de la atribución, lo que cambia en la red o en la receta es lo que el nombre dice."""
    steps = stages.steps(mnist)
    assert tuple(steps) == stages.STEPS
    kinds = {name: [type(layer).__name__ for layer in step.model.layers] for name, step in list(steps.items())[:5]}
    rates = {name: [layer.rate for layer in step.model.layers if hasattr(layer, "rate")] for name, step in
             list(steps.items())[:5]}  # fmt: skip
    assert "BatchNormalization" not in kinds["simple"]
    assert rates["+ normalización por lotes"] == [0.0]
    assert kinds["+ normalización por lotes"] == kinds["+ dropout"] == kinds["+ alfas"]
    assert rates["+ dropout"] == rates["+ alfas"] == rates["+ capas"] == [reading.q4_winner(mnist)["dropout"]]
    noisy, own, longer = (steps[name] for name in stages.STEPS[5:])
    assert "-".join(map(str, noisy.hidden_sizes)) == reading.q5_sizes(mnist)
    fields = [{k: v for k, v in vars(each).items() if k != "hidden_sizes"} for each in (noisy, own)]
    assert fields[0] == fields[1]
    assert {k for k, v in vars(own).items() if v != vars(longer)[k]} == {"epochs"}

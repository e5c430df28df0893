"""Lo que las tablas de la búsqueda dicen de los estudios guardados, de una receta y de los pasos de la atribución."""

from datetime import datetime, timedelta

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState, create_trial
from samples import cells

from tarea4.report import q5, words
from tarea4.search import reading, tables
from tarea4.search.recipes import Recipe
from tarea4.search.spaces import LABELS

TRIALS = pd.DataFrame(
    {
        "pruned": [False, True, False, False],
        "val_loss": [0.07, 0.08, 0.09, 0.1],
        "dropout": [0.1, 0.2, 0.3, 0.4],
        "log10_alpha_l1": [-8.5, -4.0, -2.0, -1.0],
        "log10_alpha_l2": [-4.0, -4.0, -9.0, -1.0],
    }
)
POINTS = pd.DataFrame(
    {"hidden_sizes": ["42", "64-32"], "val_loss": [0.06, 0.07], "best_epoch": [40.4, 12.6], "spread": [0.002, 0.001]}
    | {"parameters": [33_000.0, 1_234_567.0], "n": [5, 4]}
)


def test_q4_takes_the_best_trials_that_were_not_pruned():
    """Q4 entrena los mejores ensayos sin podar; un exponente menor que -8 es ninguna alfa."""
    assert reading.best_settings(TRIALS, 2) == [
        {"dropout": 0.1, "alpha_l1": 0.0, "alpha_l2": 1e-4},
        {"dropout": 0.3, "alpha_l1": 1e-2, "alpha_l2": 0.0},
    ]
    assert reading.best_settings(TRIALS.head(0), 2) == []


def test_what_is_not_stored_is_not_shown():
    """Sin ensayos no se intenta enseñar nada, y se dice por qué; con uno, sí."""
    assert tables.when_stored(TRIALS.head(0), lambda: 1 / 0) is tables.NOTHING
    assert tables.when_stored(TRIALS.head(1), lambda: "figura") == "figura"


def test_points_are_told_with_their_own_numbers():
    """Cada punto, con su media, su dispersión, su época y sus semillas, en el orden en que llega."""
    frame = tables.points_table(POINTS)
    assert list(frame.columns) == ["Capas", "Parámetros", "Pérdida de validación", "Mejor época", "Semillas"]
    assert frame.to_numpy().tolist() == [
        ["42", "33\xa0000", "0,0600 ±\xa00,0020", "40", 5],
        ["64-32", "1\xa0234\xa0567", "0,0700 ±\xa00,0010", "13", 4],
    ]


def test_finalists_show_what_they_promised():
    """Junto a la media de sus semillas va la pérdida del ensayo de su número, no la de otro."""
    rows = [(7, 1000, 0.06), (7, 1001, 0.08), (2, 1000, 0.05), (2, 1001, 0.06)]
    finalists = pd.DataFrame(rows, columns=["trial", "seed", "val_loss"])
    finalists = finalists.assign(pruned=False, val_accuracy=0.98, best_epoch=30, parameters=34_000)
    trials = pd.DataFrame({"number": [2, 5, 7], "val_loss": [0.045, 0.01, 0.04]})
    made = cells(tables.finalists_table(finalists, trials, "Finalistas"))
    assert [[row[0], row[2], row[-1]] for row in made[1:]] == [
        ["2", "0,0550 ± 0,0071", "0,0450"],
        ["7", "0,0700 ± 0,0141", "0,0400"],
    ]


def test_a_recipe_is_told_by_what_it_changes():
    """Solo los campos que difieren, con lo que dice cada una; las mismas capas en lista o en tupla no difieren."""
    ours = Recipe([40, 20], activation="gelu", noise=0.3, learning_rate=4e-3, pool=True)
    theirs = Recipe((40, 20), learning_rate=1e-3)
    assert tables.changed(ours, theirs) == {
        "activación": ("gelu", "relu"),
        "ruido de la entrada": ("0,3", "0"),
        "tasa de aprendizaje": ("0,004", "0,001"),
        "imagen reducida": ("sí", "no"),
    }
    assert cells(tables.recipe_table(ours, theirs, "Receta"))[:2] == [
        ["Qué", "De partida", "Receta"],
        ["Activación", "relu", "gelu"],
    ]


def test_every_field_of_a_recipe_has_a_name():
    """Todo lo que una receta puede cambiar se dice en español."""
    assert set(Recipe.__dataclass_fields__) <= set(LABELS)


def test_the_network_of_q4_as_a_recipe():
    """Con las capas y las épocas de la receta, y sin normalizar más que la primera."""
    setting = {"dropout": 0.2, "alpha_l1": 0.0, "alpha_l2": 1e-2}
    recipe = Recipe((8, 4), noise=0.1, epochs=7)
    found = tables.changed(recipe, tables.like_q4(recipe, setting))
    assert found == {
        "normalización por lotes": ("sí", "solo la primera capa"),
        "dropout de la entrada": ("0", "0,2"),
        "ruido de la entrada": ("0,1", "0"),
        "alfa de l2": ("0", "0,01"),
    }


def test_the_step_of_the_layers_has_the_right_reference():
    """Si el ajuste de Q4 no lleva alfas, las capas se cambian desde el paso que tampoco las lleva."""
    none, some = ({"dropout": 0.2, "alpha_l1": 0.0, "alpha_l2": alpha} for alpha in (0.0, 1e-3))
    assert tables.references(some)["+ capas"] == "+ alfas"
    assert tables.references(none)["+ capas"] == "+ dropout"
    assert tables.references(none)["+ ruido y optimizador"] == "+ capas"
    assert "simple" not in tables.references(some)


@pytest.fixture
def stored(monkeypatch):
    """Dos estudios guardados: pasos desordenados y una receta larga, con medidas que no se parecen."""

    def rows(column, names, base):
        return pd.DataFrame([
            {column: name, "seed": seed, "val_loss": base + i + seed / 100, "test_loss": 2 * base + i,
             "test_accuracy": 0.9 + i / 100, "parameters": 1000 + i, "errors": [i, seed]}
            for i, name in enumerate(names) for seed in (1, 0)
        ])  # fmt: skip

    made = {"atribucion": rows("step", ["+ dropout", "simple", "+ épocas", "+ sus capas", "+ capas"], 1),
            "mas-alla": rows("recipe", ["grande, FGSM", "grande"], 10)}  # fmt: skip
    monkeypatch.setattr(reading, "stored", lambda name, data: made[name])
    monkeypatch.setattr(reading, "q4_winner", lambda data: {"dropout": 0.2, "alpha_l1": 0.0, "alpha_l2": 0.0})
    found = Recipe((40, 50, 15), noise=0.3)
    longer = Recipe((40, 50, 15), noise=0.3, epochs=150)
    trained = {"+ ruido y optimizador": found, "+ sus capas": found, "+ épocas": longer}
    monkeypatch.setattr(tables.stages, "steps", lambda data: trained)


def test_steps_come_in_order(stored):
    """Los pasos en el orden de la atribución y después «Más allá», con sus semillas de menor a mayor."""
    found = tables.steps(None)
    assert list(dict.fromkeys(found["model"])) == [
        "simple", "+ dropout", "+ capas", "+ sus capas", "+ épocas", "grande", "grande, FGSM"
    ]  # fmt: skip
    assert list(found["seed"]) == [0, 1] * 7


def test_every_step_has_its_measures(stored):
    """De cada paso, cada medida en su columna, con la exactitud en tanto por ciento."""
    made = cells(tables.steps_table(tables.steps(None), "Pasos"))
    assert made[0] == ["Red", "Parámetros", "Pérdida, validación", "Pérdida, prueba", "Exactitud (%), prueba"]
    assert made[2] == ["+ dropout", "1 000", "1,0050 ± 0,0071", "2,0000 ± 0,0000", "90,00 ± 0,00"]


def test_every_step_says_in_what_it_differs(stored):
    """De cada paso, su referencia y lo que cambia."""
    made = {row[0]: row[1:] for row in cells(tables.changes_table(None, "Cambios"))[1:]}
    assert "simple" not in made
    assert made["+ dropout"] == ["+ normalización por lotes", "lo que dice su nombre"]
    assert made["+ capas"] == ["+ dropout", "nada: se eligió lo que ya había"]
    assert made["+ épocas"] == ["+ sus capas", "épocas: 150"]
    assert made["+ sus capas"] == ["+ ruido y optimizador", "nada: se eligió lo que ya había"]
    assert made["grande"][0] == "+ épocas"
    assert made["grande, FGSM"] == ["grande", "capas: 1000-500-250-250; épocas: 80; perturbación de FGSM: 0,1"]


def test_errors_are_the_mean_of_the_seeds(stored):
    """Los fallos de cada dígito, media de las semillas, en el orden de los pasos."""
    made = cells(tables.digit_errors_table(tables.steps(None), "Fallos"))
    assert made[0] == ["Red", "0", "1"]
    assert made[1:3] == [["simple", "1,0", "0,5"], ["+ dropout", "0,0", "0,5"]]


@pytest.fixture
def assumed(monkeypatch):
    """Los estudios «reparto» y «registro», desordenados y con pocos ensayos."""
    gains = dict(zip(["las últimas", "reparto 1", "reparto 2", "reparto 3"], [-0.02, -0.03, 0.01, -0.01], strict=True))
    splits = pd.DataFrame([
        {"network": net, "split": split, "seed": seed, "val_loss": 0.1 + gain * (net == "Try 02") + seed / 1000,
         "val_accuracy": 0.97 + 0.01 * (net == "Try 02") + 0.001 * i, "test_accuracy": 0.95 + 0.002 * i}
        for i, (split, gain) in enumerate(gains.items()) for net in ("Try 02", "Try 01") for seed in (-1, 1)
    ]).iloc[::-1]  # fmt: skip
    recorded = pd.DataFrame([
        {"network": net, "batch_size": size, "seed": seed, "epochs": 2, "seconds": 1.0, "history": {"x": [size, seed]}}
        for net, size, seed in [("Try 02", 256, 1), ("Try 01", 64, 0), ("Try 02", 32, 0), ("Try 02", 256, 0)]
    ])  # fmt: skip
    made = {"reparto": splits, "registro": recorded}
    monkeypatch.setattr(reading, "stored", lambda name, data: made[name])


def test_networks_and_batches_in_their_order(assumed, monkeypatch):
    """Por red y por lote, en el orden del diseño, los entrenamientos de cada punto y de ningún otro, y su tabla."""
    found = tables.recorded(None)
    assert list(found) == [("Try 01", 64), ("Try 02", 32), ("Try 02", 256)]
    monkeypatch.setattr(tables, "inside", len)
    assert cells(tables.recorded_table(found, "Registro")) == [
        ["Red", "lotes de 32", "lotes de 64", "lotes de 256"],
        ["Try 01", "—", "1 de 4", "—"],
        ["Try 02", "1 de 4", "—", "2 de 4"],
    ]
    seen = [[run.history["x"] for run in runs] for runs in found.values()]
    assert seen == [[[64, 0]], [[32, 0]], [[256, 0], [256, 1]]]


def test_splits_are_told_apart(assumed):
    """Cada reparto con las medias de cada red; la frase compara el de las últimas con lo que daría otro al azar."""
    means = tables.splits(None)
    made = cells(tables.splits_table(means, "Repartos"))
    assert made[0] == ["Validan", *(f"{what} ({net})" for what in ("Pérdida, validación", "Exactitud, validación",
                                    "Exactitud, prueba") for net in ("Try 01", "Try 02"))]  # fmt: skip
    assert made[1] == ["las últimas", "0,1000", "0,0800", "97,00 %", "98,00 %", "95,00 %", "95,00 %"]
    assert made[3] == ["reparto 2", "0,1000", "0,1100", "97,20 %", "98,20 %", "95,40 %", "95,40 %"]
    text, drawn = tables.splits_reading(means), [-0.03, 0.01, -0.01]
    simple, other = (q5.placed(0, [0.97 + up + 0.001 * i for i in (1, 2, 3)], words.percent)[0] for up in (0, 0.01))
    assert "es 97,00\xa0% con «Try 01» y 98,00\xa0% con «Try 02»" in text
    assert f"caería, 95 veces de cada 100, en {simple} y {other}." in text
    assert "«Try 02» da menos pérdida de validación que «Try 01» en 3 de 4 repartos" in text
    assert text.endswith(f"la diferencia es de −0,0200, y con otro caería en {q5.placed(0, drawn)[0]}.")


def make_study(*trials):
    """Un estudio en memoria: de cada ensayo, su pérdida, sus segundos, su resumen y si se podó."""
    study, start = optuna.create_study(), datetime(2026, 11, 23)
    for loss, seconds, trained, pruned in trials:
        trial = create_trial(
            state=TrialState.PRUNED if pruned else TrialState.COMPLETE, value=loss, intermediate_values={1: loss},
            user_attrs={"trained": trained, "parameters": round(loss * 10_000)},
        )  # fmt: skip
        trial.datetime_start, trial.datetime_complete = start, start + timedelta(seconds=seconds)
        study.add_trial(trial)
    return study


def test_everything_tried_is_counted(monkeypatch):
    """Los entrenamientos se suman, los podados también; una misma configuración en dos estudios cuenta una vez."""
    studies = {"q4": make_study((0.3, 3600, "a", False), (0.2, 1800, "b", False), (0.9, 360, "c", True)),
               "q5": make_study((0.5, 1800, "a", False))}  # fmt: skip
    monkeypatch.setattr(reading, "published", studies.get)
    monkeypatch.setattr(tables, "SPACES", {name: tables.SPACES[name] for name in studies})
    assert tables.totals() == (
        "4 entrenamientos de 3 configuraciones distintas, contados los descartados y 1 podado: 2,1 horas"
    )
    rows = cells(tables.studies_table("Estudios"))[1:]
    assert [row[:1] + row[2:] for row in rows] == [
        ["q4", "0,2000", "3", "1", "2 000", "1,6"],
        ["q5", "0,5000", "1", "0", "5 000", "0,5"],
    ]

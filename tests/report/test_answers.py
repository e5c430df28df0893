"""Prueba las respuestas a Q1, Q3, Q4 y Q5: que la frase y el desenlace cambian cuando cambia lo medido."""

import numpy as np
import pandas as pd
import pytest

from tarea4 import evaluation, models
from tarea4.report import claims, q1, q3, q4, q5
from tarea4.search import reading
from tarea4.search import tables as study_tables
from tarea4.training import Run, train_seeds

SEEDS = range(5)
NOISE = np.array([0.0, 0.001, -0.001, 0.002, -0.002])


def measured(**means):
    """Tabla como la de `results`: cada modelo, con la pérdida de validación dada y una exactitud acorde."""
    rows = []
    for shift, (name, loss) in enumerate(means.items()):
        for seed in SEEDS:
            value = loss + NOISE[(seed + shift) % 5]
            row = {"model": name.replace("_", " "), "seed": seed, "val_loss": value, "test_loss": value}
            rows.append(row | {"val_accuracy": 1 - value / 5, "test_accuracy": 1 - value / 5})
    return pd.DataFrame(rows)


def run(seed, epoch, n_epochs=4, seconds=1.0):
    """Un entrenamiento que cumple los umbrales 0.08 y 0.98 desde `epoch`, en los tres sentidos, o nunca."""
    reached = [epoch is not None and i >= epoch for i in range(1, n_epochs + 1)]
    losses, accuracies = [0.05 if ok else 0.5 for ok in reached], [0.99 if ok else 0.9 for ok in reached]
    history = {f"{p}{m}": v for p in ("", "train_", "val_") for m, v in (("loss", losses), ("accuracy", accuracies))}
    return Run(None, seed, history | {"seconds": [seconds] * n_epochs}, n_epochs * seconds)


@pytest.mark.parametrize(
    ("regularised", "choice"),
    [(0.07, "es preferible el modelo regularizado"), (0.5, "es preferible el modelo simple"), (0.1, "ninguno es")],
)
def test_q1_prefers_what_the_seeds_prefer(regularised, choice):
    """Q1 prefiere el modelo con menor pérdida de validación, o ninguno si las semillas no los distinguen."""
    answer = q1.answer(measured(simple=0.1, regularizado=regularised))
    assert answer.verdict.startswith(choice)
    assert choice in answer.text


def test_q1_with_one_model_asks_for_both():
    """Con un solo modelo, Q1 da su exactitud y dice cómo compararlo."""
    answer = q1.answer(measured(simple=0.1))
    assert answer.verdict == "sin comparación"
    assert "98,00 ±\N{NO-BREAK SPACE}0,03 %" in answer.text
    assert "«ambos»" in answer.text
    (claim,) = q1.claims(evaluation.reaching({"simple": [run(0, 1)]}, 0.08, 0.98))
    assert claim.outcome == "sin comparación"


def test_q1_counts_what_only_one_model_gets_right():
    """McNemar cuenta las imágenes que solo acierta cada modelo; con uno solo, se pide el otro."""
    y = np.zeros(100, int)
    predictions = {"simple": np.where(np.arange(100) < 90, 0, 1), "regularizado": np.where(np.arange(100) < 99, 0, 1)}
    sentence = q1.disagreement(y, predictions)
    assert "solo el modelo simple acierta 0 imágenes, y solo el regularizado, 9 imágenes" in sentence
    # Nueve discordancias del mismo lado: 2 · 0,5⁹ = 0,0039; y sqrt(0,9 · 0,1 / 100) = 0,03.
    assert "p = 0,0039" in sentence
    assert "de 3,00 puntos" in sentence
    assert "hacen falta los dos" in q1.disagreement(y, {"simple": y})


@pytest.mark.parametrize(
    ("simple", "regularised", "outcome"),
    [
        ([3, 3, 4, 3, 4], [1, 1, 2, 1, 1], "se confirma"),
        ([1, 1, 2, 1, 1], [3, 3, 4, 3, 4], "se refuta"),
        ([2, 3, 2, 3, 2], [None] * 5, "se refuta"),
        ([2, 3, 2, 3, 2], [3, 2, 2, 2, 3], "estas semillas no lo deciden"),
        ([None] * 5, [None] * 5, "estas semillas no lo deciden"),
    ],
)
def test_q1_claims_follow_the_epochs(simple, regularised, outcome):
    """Las afirmaciones de 2020 se confirman, se refutan o quedan abiertas según las épocas de cada semilla."""
    arrivals = {"simple": simple, "regularizado": regularised}
    runs = {name: [run(*pair) for pair in enumerate(epochs)] for name, epochs in arrivals.items()}
    made = q1.claims(evaluation.reaching(runs, 0.08, 0.98))
    assert [claim.outcome for claim in made] == [outcome] * 4


def test_reaching_counts_one_epoch_more_when_missed():
    """Quien no llega cuenta con una época más de las que entrenó, y su época queda vacía."""
    reached = evaluation.reaching({"a": [run(0, 2, seconds=3.0), run(1, None, seconds=3.0)]}, 0.08, 0.98)
    rows = reached[reached["sense"] == ""]
    assert list(rows["epoch"].isna()) == [False, True]
    assert list(rows["epochs_waited"]) == [2, 5]
    assert list(rows["seconds_waited"]) == [6.0, 15.0]


def test_q3_reports_the_smallest_network_that_always_arrives():
    """Q3 nombra la red menor que llega con todas las semillas; las que fallan con alguna no cuentan."""
    arrivals = {"40-50-15": [1, 2], "20": [3, 4], "10": [3, None]}
    runs = {name: [run(seed, epoch) for seed, epoch in enumerate(epochs)] for name, epochs in arrivals.items()}
    reached = evaluation.reaching(runs, 0.08, 0.98)
    parameters = {"40-50-15": 34_375, "20": 15_910, "10": 7_960}
    assert q3.smallest_reaching(reached, parameters) == "20"
    answer = q3.answer(reached, "40-50-15", parameters)
    assert answer.verdict == "40-50-15 llega con todas las semillas"
    assert "llega con 2 de 2 semillas, entre las épocas 1 y 2" in answer.text
    assert "La menor de las 3 probadas que llega con todas es 20 (15\xa0910 parámetros)." in answer.text
    assert [claim.outcome for claim in q3.claims(reached, "10")] == ["depende de la semilla"] * 3
    assert q3.answer(reached, "10", parameters).verdict == "10 no llega con todas las semillas"


def test_q3_when_nobody_arrives():
    """Sin ninguna red que llegue, Q3 lo dice y la afirmación de 2020 se refuta."""
    reached = evaluation.reaching({"40-50-15": [run(0, None), run(1, None)]}, 0.08, 0.98)
    answer = q3.answer(reached, "40-50-15", {"40-50-15": 34_375})
    assert "no llega con ninguna de 2 semillas" in answer.text
    assert "Ninguna de las redes probadas llega" in answer.text
    assert [claim.outcome for claim in q3.claims(reached, "40-50-15")] == ["se refuta"] * 3


@pytest.mark.parametrize(
    ("best", "verdict"), [(0.07, "mejora al"), (0.5, "es peor que el"), (0.1, "no se distingue del")]
)
def test_best_model_is_compared_with_the_one_it_came_from(best, verdict):
    """El mejor de los probados se compara con el de partida; lo pedido, con el mejor."""
    table = measured(base=0.1, elegido=best, pedido=0.3)
    answer = claims.answer_best(table, "elegido", "base", 7, "pedido")
    assert answer.verdict == f"{verdict} de partida"
    assert "**El mejor de 7 modelos probados es: elegido.**" in answer.text
    assert "el modelo pedido (pedido)" in answer.text.lower()
    assert "pedido" not in claims.answer_best(table, "elegido", "base", 7, "elegido").text


def test_best_model_has_the_least_validation_loss():
    """Se elige por la pérdida de validación, no por la de prueba."""
    table = measured(a=0.2, b=0.1, c=0.3)
    table["test_loss"] = -table["val_loss"]
    assert evaluation.best_model(table) == "b"


def test_q4_says_what_tiny_alphas_do(small):
    """Alfas de 0 y de 0 dan los mismos pesos bit a bit; con alfas de 1, no; y las frases lo cuentan."""
    runs = {a: train_seeds(models.regularised((6,), alpha_l1=a), small, [0, 1], epochs=1) for a in (0.0, 1.0)}
    again = train_seeds(models.regularised((6,), alpha_l1=0.0), small, [0, 1], epochs=1)
    assert q4.same_weights(runs[0.0], again) == 2
    assert q4.same_weights(runs[0.0], runs[1.0]) == 0
    table = measured(alfas_de_2020=0.1, sin_alfas=0.1, respuesta_de_2020=0.2, mejor=0.1)
    tiny, model, layers = q4.claims(table, "mejor", "mejor", "sin alfas", 0, "Las alfas: nada.")
    assert "con 0 de 5 semillas" in tiny.evidence
    assert tiny.evidence.endswith("Las alfas: nada.")
    assert tiny.outcome == "estas semillas no lo deciden"
    assert (model.outcome, layers.outcome) == ("se refuta", "se refuta")


def test_alpha_effects_say_from_which_alpha_on():
    """Cada alfa se compara por semillas con la menor: las que suben, las que bajan y las que no se distinguen."""
    explored = measured(cero=0.1, poca=0.1, buena=0.05, mucha=0.5)
    losses = q4.alpha_table(explored, {10.0: "mucha", 0.0: "cero", 1e-3: "buena", 1e-6: "poca"})
    assert list(losses.index) == [0.0, 1e-6, 1e-3, 10.0]
    assert losses.shape == (4, 5)
    effects = q4.alpha_effects(losses)
    for part in ("la bajan 10⁻³", "la suben 10¹", "no la cambian de modo que se distinga 10⁻⁶", "alfa = 0"):
        assert part in effects


@pytest.mark.parametrize(
    ("old", "best", "outcomes"),
    [
        (0.124, 0.05, ["dentro de lo que da la semilla", "superado"]),
        (0.5, 0.9, ["fuera de lo que da la semilla", "no alcanzado"]),
        (0.5, 0.124, ["fuera de lo que da la semilla", "no se distinguen"]),
    ],
)
def test_q5_places_2020_among_the_seeds(old, best, outcomes):
    """La exactitud de 2020, 0.9752 (aquí, pérdida 0.124), se juzga con la dispersión de su receta y con el mejor."""
    table = measured(red_de_2020=old, mejor=best)
    made = [claim for claim in q5.claims(table, "mejor", "red de 2020") if "exactitud" in claim.statement]
    assert [claim.outcome for claim in made] == outcomes


TRIALS = pd.DataFrame(
    {
        "pruned": [False, True, False, False],
        "val_loss": [0.07, 0.08, 0.09, 0.1],
        "dropout": [0.1, 0.2, 0.3, 0.4],
        "log10_alpha_l1": [-8.5, -4.0, -2.0, -1.0],
        "log10_alpha_l2": [-4.0, -4.0, -9.0, -1.0],
    }
)


def test_q4_takes_the_best_trials_that_were_not_pruned():
    """Q4 entrena los mejores ensayos sin podar; un exponente menor que -8 es ninguna alfa."""
    assert reading.best_settings(TRIALS, 2) == [
        {"dropout": 0.1, "alpha_l1": 0.0, "alpha_l2": 1e-4},
        {"dropout": 0.3, "alpha_l1": 1e-2, "alpha_l2": 0.0},
    ]
    assert reading.best_settings(TRIALS.head(0), 2) == []


def test_q5_reads_digits_with_a_model_of_the_size_of_2020():
    """Para el navegador, el mejor de los que no pasan de los parámetros de 2020, o el menor si pasan todos."""
    table = measured(grande=0.05, medio=0.07, menor=0.06).assign(parameters=np.repeat([90_000, 34_775, 40_000], 5))
    assert q5.best_affordable(table, ["grande", "medio", "menor"]) == "medio"
    assert q5.best_affordable(table, ["grande", "menor"]) == "menor"


def test_q5_says_how_much_the_split_moves():
    """La diferencia entre repartos es la de las exactitudes de validación, en puntos y con su signo."""
    last, stratified = measured(red=0.1), measured(red=0.15)
    assert "mueve la validación 1,00 puntos" in q5.split_effect(last, stratified)
    assert "mueve la validación −1,00 puntos" in q5.split_effect(stratified, last)


def test_q5_tells_what_is_stored():
    """«Más allá» cuenta sus entrenamientos, sus horas y sus medias; sin ninguno, dice cómo se hacen."""
    row = {"model": "una", "parameters": 1000, "seconds": 1800.0, "date": "2026-11-23"}
    row["versions"] = {"keras": "3.15", "tensorflow": "2.21"}
    row |= {"history": {"val_loss": [1, 2]}, "test_accuracy": 0.99, "test_loss": 0.03, "ece": 0.01, "ece_scaled": 0.002}
    row |= {"temperature": 1.2, "errors": [1, 3]}
    further = pd.DataFrame([row, row | {"test_accuracy": 0.98, "errors": [3, 3]}])
    assert (
        "2 entrenamientos, el 23 de noviembre de 2026, con Keras 3.15 y TensorFlow 2.21: 1,0 horas"
        in study_tables.beyond_summary(further)
    )
    assert "98,50 ±\N{NO-BREAK SPACE}0,71" in study_tables.beyond_table(further).data
    assert "<td>0,0020 ±\N{NO-BREAK SPACE}0,0000</td>" in study_tables.calibration_table(further).data
    assert "<td>2,0</td>" in study_tables.digit_errors_table(further).data
    assert "make mas-alla" in study_tables.beyond_summary(pd.DataFrame())
    assert "<table" in study_tables.beyond_table(pd.DataFrame()).data

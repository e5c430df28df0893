"""Las respuestas y las afirmaciones de los cinco capítulos cambian cuando cambia lo medido, y solo por lo que toca.

En todas las tablas la prueba contradice a la validación, y una semilla pesa más que la diferencia entre dos modelos.
"""

import numpy as np
import pandas as pd
import pytest
from samples import SEEDS, measured, reached

from tarea4.evaluation import best_model
from tarea4.report import claims, q1, q2, q5, words
from tarea4.statistics import compare
from tarea4.training import SENSES

BETTER, SAME, WORSE = 0.32, 0.35, 0.38  # pérdidas de validación frente a la de referencia, SAME


def table(losses: dict[str, float], **columns) -> pd.DataFrame:
    """De cada modelo, su pérdida de validación; su exactitud de validación y toda la prueba dicen lo contrario."""
    return measured({
        name: {"val_loss": loss, "val_accuracy": 0.3 + loss, "test_loss": 1 - loss, "test_accuracy": 0.5 + loss}
        for name, loss in losses.items()
    }).assign(**columns)  # fmt: skip


def sentence(rows: pd.DataFrame, column: str, name: str, other: str, said: str, other_said: str) -> str:
    """La frase que compara dos modelos en una columna, a partir de la comparación por semillas."""
    where = "en validación" if column.startswith("val") else "en prueba"
    return words.verdict(said, other_said, column.split("_")[1], compare(rows, name, other, column), where)


@pytest.mark.parametrize(
    ("loss", "choice"),
    [
        (BETTER, "es preferible el modelo regularizado"),
        (WORSE, "es preferible el modelo simple"),
        (SAME, "ninguno es preferible"),
    ],
)
def test_q1_prefers_what_validation_prefers(loss, choice):
    """Q1 prefiere el de menor pérdida de validación, diga lo que diga la prueba, y da la exactitud de la prueba."""
    rows = table({"simple": SAME, "regularizado": loss})
    pair = "regularizado", "simple", "el modelo regularizado", "el simple"
    said = [sentence(rows, column, *pair) for column in ("val_loss", "test_accuracy")]
    assert q1.answer(rows) == (choice, f"**Según estas semillas, {choice}.** {said[0]} {said[1]}")


def test_q1_with_one_model_asks_for_both():
    """Con un solo modelo, Q1 da su exactitud de validación y dice cómo compararlo."""
    answer = q1.answer(table({"simple": 0.2}))
    assert answer.verdict == "sin comparación"
    assert answer.text.startswith("Solo se ha entrenado el modelo simple: 50,00 ±\xa0")
    assert answer.text.endswith(" % de exactitud en validación. Para compararlo con el otro, `model` debe ser «ambos».")
    (claim,) = q1.claims(reached({"simple": dict.fromkeys(SENSES, [1] * 5)}))
    assert claim.outcome == "sin comparación"


def test_q1_counts_what_only_one_model_gets_right():
    """McNemar cuenta las imágenes que solo acierta cada modelo, cada una del suyo; con uno solo, se pide el otro."""
    y, i = np.zeros(100, int), np.arange(100)
    predictions = {"simple": np.where(i < 88, 0, 1), "regularizado": np.where((i < 1) | (i > 98), 1, 0)}
    sentence = q1.disagreement(y, predictions)
    # El simple falla las 12 últimas; el regularizado, la primera y la última, que fallan los dos.
    assert "solo el modelo simple acierta 1 imagen, y solo el regularizado, 11 imágenes" in sentence
    # Doce discordancias, 1 y 11: 2 · (1 + 12) / 2¹² = 0,0063; y sqrt(0,88 · 0,12 / 100) = 0,0325.
    assert "(McNemar, p = 0,0063). Sobre 100 imágenes" in sentence
    assert sentence.endswith("es de 3,25 puntos.")
    assert "p < 0,0001" in q1.disagreement(y, predictions | {"simple": np.ones(100, int)})
    assert "hacen falta los dos" in q1.disagreement(y, {"simple": y})


EARLY, LATE, NEVER = [1, 2, 1, 2, 1], [5, 6, 6, 5, 6], [None] * 5


def test_q1_claims_look_at_their_own_sense():
    """Cada sentido tiene su desenlace, y la rapidez sale de los segundos, no de las épocas."""
    rows = reached(
        {
            "simple": {"": LATE, "train_": EARLY, "val_": NEVER},
            "regularizado": {"": EARLY, "train_": [4, None, 3, 4, 3], "val_": NEVER},
        },
        {"simple": 1.0, "regularizado": 20.0},  # segundos por época: llega antes y tarda más
    )
    running, evaluated, validation, quicker = q1.claims(rows)
    assert [claim.outcome for claim in (running, evaluated, validation, quicker)] == [
        "se confirma", "se refuta", "estas semillas no lo deciden", "se refuta"
    ]  # fmt: skip
    for claim, label in zip((running, evaluated, validation), SENSES.values(), strict=True):
        assert claim.statement == f"Con el regularizado es más fácil llegar a los umbrales ({label})"
    assert evaluated.evidence == (
        "El regularizado llega con 4 de 5 semillas, entre las épocas 3 y 4; el simple llega con 5 de 5 semillas, entre "
        "las épocas 1 y 2."
    )
    assert quicker.evidence.startswith("Hasta los umbrales de entrenamiento, el regularizado tarda 28,0 ±\xa0")
    assert "; el simple, 5,6 ±\xa0" in quicker.evidence


def test_q1_says_when_the_wait_is_a_lower_bound():
    """Si una semilla no llega, lo que se esperó es «al menos», y solo en ese modelo y en ese sentido."""
    arrivals = {"simple": {"": [2, 3, None, 2, 2]}, "regularizado": {"": [1, 1, 2, 1, 2]}}
    others = {"train_": NEVER, "val_": NEVER}
    quicker = q1.claims(reached({name: senses | others for name, senses in arrivals.items()}))[-1]
    assert "el regularizado tarda 1,4 ±" in quicker.evidence
    assert "el simple, al menos 3,8 ±" in quicker.evidence


def test_holm_corrects_a_family():
    """El menor de cuatro por 4, el siguiente por 3...; ninguno baja del anterior ni pasa de 1, en su orden."""
    # A mano: 0,01·4 = 0,04; 0,011·3 = 0,033, que sube a 0,04; 0,02·2 = 0,04; 0,6·1.
    assert claims.holm([0.02, 0.01, 0.6, 0.011]) == pytest.approx([0.04, 0.04, 0.6, 0.04])
    assert claims.holm([0.3, 0.001, 0.4]) == pytest.approx([0.6, 0.003, 0.6])
    assert claims.holm([0.5, 0.7]) == [1, 1]
    assert claims.holm([0.04]) == [0.04]


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [(BETTER, "mejora al de partida"), (WORSE, "es peor que el de partida"), (SAME, "no se distingue del de partida")],
)
def test_best_model_is_compared_with_the_one_it_came_from(loss, verdict):
    """El elegido, con el de partida en validación y en prueba, por este orden; lo pedido, con el elegido."""
    rows = table({"base": SAME, "elegido": loss, "pedido": 0.5})
    against_base = sentence(rows, "val_loss", "elegido", "base", "este modelo", "el de partida (base)")
    in_test = sentence(rows, "test_accuracy", "elegido", "base", "este modelo", "el de partida")
    asked = sentence(rows, "val_loss", "pedido", "elegido", "el modelo pedido (pedido)", "el mejor")
    said = f"**El mejor de 7 modelos probados es: elegido.** {against_base} {in_test}"
    assert claims.answer_best(rows, "elegido", "base", 7, "pedido") == (verdict, f"{said} {asked}")
    assert claims.answer_best(rows, "elegido", "base", 7, "elegido").text == said
    assert claims.answer_best(rows, "base", "base", 1, "base") == (
        "es el de partida", "**El mejor de 1 modelo probado es el de partida: base.**"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "best", "outcomes"),
    [
        ((0.97, 0.09), (0.99, 0.06), ["dentro", "superado", "dentro", "superado"]),
        ((0.97, 0.20), (0.96, 0.06), ["dentro", "no alcanzado", "fuera", "superado"]),
        ((0.90, 0.08), (0.9752, 0.10), ["fuera", "no se distinguen", "dentro", "no alcanzado"]),
    ],
)
def test_q5_places_2020_among_the_seeds(old, best, outcomes):
    """Las cifras de 2020 se juzgan con la prueba: dentro o fuera de lo que da su receta, y frente al mejor de hoy."""
    noise = dict(zip(SEEDS, (-0.009, 0.008, 0.001, -0.002, 0.002), strict=True))
    rows = pd.DataFrame(
        {"model": name, "seed": seed, "test_accuracy": accuracy + scale * n, "test_loss": loss - scale * n}
        | {"val_accuracy": 0.5, "val_loss": 0.5}
        for name, (accuracy, loss), scale in (("mejor", best, 0.2), ("de 2020", old, 1.5))
        for seed, n in noise.items()
    )
    made = q5.claims(rows, "mejor", "de 2020")
    assert [claim.outcome.removesuffix(" de lo que da la semilla") for claim in made] == outcomes
    then, today = (rows[rows["model"] == name]["test_loss"] for name in ("de 2020", "mejor"))
    spans = [f"de {words.number(v.min())} a {words.number(v.max())}." for v in (then, today)]
    assert made[2][:2] == ("Aquella red da pérdida 0,0800 en prueba", f"Con 5 semillas va {spans[0]}")
    assert made[3].statement == "El mejor modelo da pérdida 0,0800 en prueba"
    assert made[3].evidence == f"El de hoy da {words.mean_and_spread(today)}, {spans[1]}"
    assert "0,9752" in made[0].statement


def test_q5_reads_digits_with_a_model_of_the_size_of_2020():
    """Para el navegador, el mejor en validación de los que no pasan de 2020, o el menor si pasan todos."""
    rows = table({"grande": 0.1, "medio": 0.3, "chico": 0.35, "menor": 0.2})
    sizes = {"grande": 90_000, "medio": 34_775, "chico": 20_000, "menor": 34_776}
    rows["parameters"] = rows["model"].map(sizes)
    assert best_model(rows) == "grande"
    assert q5.best_affordable(rows, ["grande", "medio", "chico", "menor"]) == "medio"
    assert q5.best_affordable(rows, ["grande", "menor"]) == "menor"
    assert q5.best_affordable(rows, dict.fromkeys(["grande", "chico"])) == "chico"


def test_q5_says_how_much_the_split_moves():
    """Cada reparto con su validación y su prueba; la diferencia es la de validación, en puntos y con su signo."""
    last, stratified = table({"red": 0.25}), table({"red": 0.27})
    said = [words.mean_and_spread(rows[column], 2, 100)
            for rows in (last, stratified) for column in ("val_accuracy", "test_accuracy")]  # fmt: skip
    assert q5.split_effect(last, stratified) == (
        f"Con las últimas imágenes, la exactitud es {said[0]} % en validación y {said[1]} % en prueba. Con el reparto "
        f"estratificado, la exactitud es {said[2]} % en validación y {said[3]} % en prueba. La elección mueve la "
        "validación −2,00 puntos."
    )


OUTPUTS = {"softmax": SAME, "sigmoide": BETTER, "lineal": WORSE}  # en validación, softmax acierta más que la sigmoide
ECES = {"softmax": [0.01, 0.02], "sigmoide normalizada": [0.03, 0.03]}


def test_q2_answers_what_softmax_gives():
    """El veredicto sale de qué salidas son una distribución y de si la clase cambia; la frase, de la prueba."""
    rows = table(OUTPUTS)
    arrays = {"softmax": [np.array([[0.3, 0.7]])], "sigmoide": [np.array([[0.9, 0.9], [0.2, 0.1]])]}
    answer = q2.answer(q2.output_ranges(arrays), 3, 3, rows, ECES)
    assert answer.verdict == "da una distribución: softmax sí, sigmoide no; el argmax no cambia"
    said = [sentence(rows, "test_accuracy", "softmax", name, "la salida softmax", f"la {name}")
            for name in ("sigmoide", "lineal")]  # fmt: skip
    assert answer.text == (
        "**Softmax da una distribución de probabilidad y no cambia la clase elegida.** Las salidas de una imagen de "
        "validación suman: 1,0000 con softmax; 0,3000 a 1,8000 con sigmoide. Con softmax, la clase más probable es la "
        "de mayor logit en 3 de 3 casos. Error de calibración (ECE) en prueba: softmax, 0,0150 ±\xa00,0071; sigmoide "
        f"normalizada, 0,0300 ±\xa00,0000. {said[0]} {said[1]}"
    )
    swapped = {"softmax": arrays["sigmoide"], "sigmoide": arrays["softmax"]}
    answer = q2.answer(q2.output_ranges(swapped), 2, 3, rows, ECES)
    assert answer.verdict == "da una distribución: softmax no, sigmoide sí; el argmax cambia"
    assert answer.text.startswith("**Softmax no da una distribución de probabilidad y cambia la clase elegida.**")


def test_q2_claims_follow_validation():
    """Softmax clasifica mejor si lo dice la validación; y se maximiza lo que el gradiente sube, si hay errores."""
    rows = table(OUTPUTS).assign(test_accuracy=0.5)  # la prueba no decide nada
    wrong = q2.wrong_by_seed([np.float32([[0, 1, 5], [0, 3, 1]])], np.array([0, 2]), (4,))
    sigmoid, linear, maximised = q2.claims(rows, wrong)
    assert [claim.outcome for claim in (sigmoid, linear, maximised)] == ["se confirma", "se refuta", "se refuta"]
    assert sigmoid.statement.endswith("softmax clasifica mejor que la salida sigmoide")
    pair = "softmax", "lineal", "la salida softmax", "la lineal"
    assert linear.evidence == sentence(rows, "val_accuracy", *pair)
    assert maximised.evidence.startswith("En 2 de 2 errores de validación, sumadas las semillas,")
    mixed = wrong.assign(gradient_true=[0.1, -0.5])
    assert q2.claims(rows, mixed)[-1].evidence.startswith("En 1 de 2 errores")
    assert q2.claims(rows, wrong[:0])[-1].outcome == "se confirma"  # sin errores, la más probable es la verdadera


def test_q2_verdicts_name_every_other_output():
    """De cada otra salida, su frase, de la partición pedida."""
    rows = table(OUTPUTS)
    found = q2.softmax_verdicts(rows, "test", "en prueba")
    assert list(found) == ["sigmoide", "lineal"]
    for name, said in found.items():
        assert said == sentence(rows, "test_accuracy", "softmax", name, "la salida softmax", f"la {name}")

"""Las respuestas y las afirmaciones de los cinco capítulos cambian cuando cambia lo medido, y solo por lo que toca.

En todas las tablas la prueba contradice a la validación, y una semilla pesa más que la diferencia entre dos modelos.
"""

import numpy as np
import pandas as pd
import pytest
from samples import SEEDS, measured, reached

from tarea4 import models
from tarea4.evaluation import best_model
from tarea4.report import claims, q1, q2, q3, q4, q5, words
from tarea4.statistics import compare
from tarea4.training import SENSES, Run

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


Q3 = reached({
    "40-50-15": {"": [3, 4, 3, 5, 4], "train_": [2, 2, 3, 2, 2], "val_": [None, 9, None, 8, None]},
    "20": {"": [7, 8, 7, 8, 7], "train_": [6, 6, 6, 6, 6], "val_": NEVER},
    "12": {"": [9, 9, 9, 9, 9], "train_": [9, 9, None, 9, 9], "val_": NEVER},
    "10": {"": NEVER, "train_": [9] * 5, "val_": [9] * 5},
})  # fmt: skip
PARAMETERS = {"40-50-15": 34_375, "20": 15_910, "12": 9_550, "10": 7_960}


def test_q3_reports_the_smallest_network_that_always_arrives():
    """La menor que llega con todas las semillas en los dos sentidos de entrenar; la validación no cuenta."""
    answer = q3.answer(Q3, "40-50-15", PARAMETERS)
    assert answer.verdict == "40-50-15 llega con todas las semillas"
    assert answer.text == (
        "**La red 40-50-15 (34\xa0375 parámetros) llega con 5 de 5 semillas, entre las épocas 3 y 5**, según la "
        "pérdida corriente; según la evaluada, llega con 5 de 5 semillas, entre las épocas 2 y 3. La menor de las 4 "
        "probadas que llega con todas es 20 (15\xa0910 parámetros)."
    )
    assert q3.answer(Q3, "12", PARAMETERS).verdict == "12 no llega con todas las semillas"
    assert q3.answer(Q3, "10", PARAMETERS).verdict == "10 no llega con todas las semillas"


def test_q3_claims_look_at_each_sense():
    """Llegar con todas confirma, con ninguna refuta y con algunas depende de la semilla, en cada sentido."""
    assert [claim.outcome for claim in q3.claims(Q3, "40-50-15")] == ["se confirma"] * 2 + ["depende de la semilla"]
    assert [claim.outcome for claim in q3.claims(Q3, "10")] == ["se refuta", "se confirma", "se confirma"]
    validation = q3.claims(Q3, "40-50-15")[-1]
    assert validation[:2] == (
        "Llega a los umbrales (validación)",
        "La red 40-50-15 llega con 2 de 5 semillas, entre las épocas 8 y 9.",
    )


def test_q3_when_nobody_arrives():
    """Sin ninguna red que llegue, Q3 lo dice."""
    rows = reached({"40-50-15": dict.fromkeys(SENSES, NEVER)})
    answer = q3.answer(rows, "40-50-15", {"40-50-15": 34_375})
    assert answer.text.count("no llega con ninguna de 5 semillas") == 2
    assert answer.text.endswith("Ninguna de las redes probadas llega con todas las semillas.")


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


def test_q4_claims_have_each_their_own_comparison():
    """Alfas frente a ninguna; 2020 frente al mejor; y sus capas frente a las de Q3: tres desenlaces distintos."""
    rows = table({"alfas de 2020": SAME, "sin alfas": SAME, "respuesta de 2020": 0.4, "mejor": 0.36, "partida": 0.44})
    tiny, model, layers = q4.claims(rows, "mejor", "partida", "sin alfas", 2, "Las alfas: nada.")
    assert [claim.outcome for claim in (tiny, model, layers)] == [
        "estas semillas no lo deciden", "se refuta", "se confirma"
    ]  # fmt: skip
    said = sentence(rows, "val_loss", "alfas de 2020", "sin alfas", "el modelo con ellas", "el que no las tiene")
    bits = "Con ellas y sin ellas los pesos finales coinciden bit a bit con 2 de 5 semillas."
    assert tiny.evidence == f"{bits} {said} Las alfas: nada."
    assert model.evidence == sentence(
        rows, "val_loss", "respuesta de 2020", "mejor", "el de 2020", "el mejor de hoy"
    )  # fmt: skip
    assert layers.evidence.endswith(", 5 semillas).")
    assert "La red 25-45-25 tiene menor pérdida en validación que la de las capas de Q3 (partida)" in layers.evidence


def test_q4_names_tell_settings_apart():
    """Dos modelos que difieren, aunque sea en la última cifra, no comparten nombre; los iguales, sí."""
    values = [
        0.0,
        1e-15,
        0.1,
        0.1004,
        0.196,
        0.2,
        0.204,
        0.20000000000000001e-3,
        0.12345,
        0.123451,
        np.nextafter(0.1, 1),
    ]
    for i, name in enumerate(("dropout", "alpha_l1", "alpha_l2")):
        labels = {q4.label(**dict.fromkeys(("dropout", "alpha_l1", "alpha_l2"), 0.0) | {name: v}) for v in values}
        assert len(labels) == len(values), (i, name)
    assert q4.label(0.1, 1e-4, 0.0) == "dropout 0,10, l1 = 10⁻⁴, l2 = 0"
    assert q4.label(0.204, 0.1004, 3e-15) == "dropout 0,204, l1 = 1,004·10⁻¹, l2 = 3·10⁻¹⁵"
    assert q4.label(0.1, 1e-4, 1e-3) == q4.label(0.10, 0.0001, 0.001)


def test_alpha_effects_say_what_each_alpha_does():
    """Cada alfa, de menor a mayor y con su modelo, se compara por semillas con la menor: bajan, suben o no se sabe."""
    explored = table({"mucha": 0.5, "cero": SAME, "buena": BETTER, "poca": SAME + 1e-4})
    labels = {10.0: "mucha", 0.0: "cero", 1e-3: "buena", 1e-6: "poca"}
    losses = q4.alpha_table(explored, labels)
    assert list(losses.index) == [0.0, 1e-6, 1e-3, 10.0]
    for alpha, name in labels.items():
        own = explored[explored["model"] == name].set_index("seed")["val_loss"]
        assert losses.loc[alpha].to_dict() == own.to_dict()
    assert q4.alpha_effects(losses) == (
        "Frente a alfa = 0, la pérdida de validación: la bajan 10⁻³; la suben 10¹; no la cambian de modo que se "
        "distinga 10⁻⁶."
    )
    assert q4.alpha_effects(losses.iloc[:1]).endswith("la pérdida de validación: sin otras alfas.")


def test_same_weights_counts_seeds():
    """Cuenta las semillas cuyos pesos coinciden todos, hasta el último bit, y solo si coinciden las de su pareja."""

    def runs(*shifts):
        networks = [models.plain((4,), input_size=3, n_classes=2) for _ in shifts]
        for seed, (network, shift) in enumerate(zip(networks, shifts, strict=True)):
            shapes = [weights.shape for weights in network.get_weights()]
            network.set_weights([np.full(shape, seed + 0.1, "float32") for shape in shapes[:-1]]
                                + [np.full(shapes[-1], 0.1 + shift, "float32")])  # fmt: skip
        return [Run(network, seed, {}, 0.0) for seed, network in enumerate(networks)]

    assert q4.same_weights(runs(0, 0, 0), runs(0, 1e-8, 0)) == 2
    assert q4.same_weights(runs(0, 0), runs(0, 0)[::-1]) == 0
    with pytest.raises(ValueError, match="shorter"):
        q4.same_weights(runs(0, 0), runs(0))


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


SOFTMAX, SIGMOID, LINEAR, *SQUARED = q2.PAIRS
# En prueba, softmax acierta más que la sigmoide y menos que la lineal; en validación, al revés.
OUTPUTS = {SOFTMAX: SAME, SIGMOID: BETTER, LINEAR: WORSE, SQUARED[0]: SAME, SQUARED[1]: 0.2}
LEARNED = {name: pd.DataFrame({0: [50.0 + i]}, index=[1]) for i, name in enumerate(q2.PAIRS)}


def points(rows: pd.DataFrame, column: str, name: str) -> str:
    """La pareja y su diferencia con softmax, por semillas."""
    return f"{name} ({words.number(100 * compare(rows, SOFTMAX, name, column).mean_difference, 2)} puntos)"


@pytest.mark.parametrize(("split", "where"), [("test", "en prueba"), ("val", "en validación")])
def test_q2_says_from_which_pairs_softmax_differs(split, where):
    """Cada pareja pedida, en su grupo, con su diferencia, y la exactitud de softmax en esa partición."""
    rows, column = table(OUTPUTS), f"{split}_accuracy"
    greater, less = (SIGMOID, LINEAR) if split == "test" else (LINEAR, SIGMOID)
    if split == "val":  # `table` da la misma exactitud en el mismo orden: al revés, a mano
        rows["val_accuracy"] = 1 - rows["val_accuracy"]
    said, better = q2.standing(rows, split, [SIGMOID, LINEAR, SQUARED[0]])
    own = words.mean_and_spread(rows.loc[rows["model"] == SOFTMAX, column], 2, 100)
    assert said == (
        f"La exactitud {where} de {SOFTMAX} es {own} %: mayor que la de {points(rows, column, greater)}; menor que la "
        f"de {points(rows, column, less)}; no se distingue de la de {points(rows, column, SQUARED[0])}."
    )
    assert better
    said, better = q2.standing(rows, split, [SQUARED[0], less])
    assert not better
    assert "mayor" not in said


def test_q2_joins_what_it_cannot_tell_apart():
    """Varias parejas de un grupo van en una sola frase, y con una semilla no se distingue ninguna."""
    one = table(OUTPUTS).query("seed == 0")
    said, better = q2.standing(one, "test", [SIGMOID, LINEAR])
    pair = [points(one, "test_accuracy", name) for name in (SIGMOID, LINEAR)]
    assert said.endswith(f"%: no se distingue de la de {pair[0]} ni de la de {pair[1]}.")
    assert not better
    said, _ = q2.standing(table(OUTPUTS), "test", [SIGMOID, SQUARED[1]])
    assert f"mayor que la de {SIGMOID} (" in said
    assert f" ni que la de {SQUARED[1]} (" not in said
    assert f" y que la de {SQUARED[1]} (" in said


def test_q2_intervals_hold_for_four_comparisons():
    """Una diferencia que pasa al 95 % y no al 98,75 % no se da por buena."""
    rows = table(OUTPUTS)
    softmax = rows[rows["model"] == SOFTMAX].set_index("seed")["test_accuracy"]
    differences = dict(zip(SEEDS, 0.01 + 0.007 * np.array([1, -1, 1, -1, 0]), strict=True))
    other = rows["model"] == LINEAR
    rows.loc[other, "test_accuracy"] = [softmax[seed] - differences[seed] for seed in rows[other]["seed"]]
    found = compare(rows, SOFTMAX, LINEAR, "test_accuracy")
    assert 0.0125 < found.p_value < 0.05
    assert "no se distingue" in q2.standing(rows, "test", [LINEAR])[0]


def test_q2_answers_with_theorem_test_and_first_epoch():
    """Primero el porqué, después la prueba frente a las otras dos con p - y, y la primera época."""
    rows = table(OUTPUTS)
    answer = q2.answer(rows, LEARNED)
    why = "por dar una probabilidad a cada clase y por su gradiente, p − y"
    assert answer.verdict == f"{why}; además, acierta más"
    assert answer.text == (
        "**Porque convierte los logits en una probabilidad para cada clase y, con la entropía cruzada, su gradiente es "
        "p − y, que no se apaga mientras la red se equivoca.** "
        f"{q2.standing(rows, 'test', [SIGMOID, LINEAR])[0]} {q2.first_epoch(LEARNED)}"
    )
    worse = table(OUTPUTS | {SIGMOID: WORSE})
    assert q2.answer(worse, LEARNED).verdict == f"{why}; no se la ve acertar más"


def test_q2_claims_say_what_is_maximised():
    """Multiclase es cierto y no basta, con la prueba; se maximiza la clase verdadera, con la validación de softmax."""
    rows = table(OUTPUTS)
    multiclass, maximised = q2.claims(rows)
    assert [multiclass.outcome, maximised.outcome] == ["es cierto, pero no basta", "se refuta"]
    assert multiclass.evidence.endswith(q2.standing(rows, "test", [SIGMOID, LINEAR])[0])
    own = words.mean_and_spread(rows.loc[rows["model"] == SOFTMAX, "val_accuracy"], 2, 100)
    assert f"(exactitud de validación, {own} %)" in maximised.evidence
    assert "baja el logit de la más probable y sube el de la verdadera" in maximised.evidence

"""Las respuestas y las afirmaciones de Q1 a Q4 cambian cuando cambia lo medido, y solo por lo que toca.

En todas las tablas la prueba contradice a la validación, y una semilla pesa más que la diferencia entre dos modelos.
"""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from samples import SEEDS, make_run, measured, reached

from tarea4.report import claims, first_layer, q1, q2, words
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


def fitted(**models: dict[str, float]) -> pd.DataFrame:
    """Tabla como la de `q1.fits`; lo que no se dice de un modelo no se parece a nada."""
    other = {"train_first": 0.91, "val_first": 0.72, "gap_first": -0.19, "gap_best": 0.53, "gap_last": 0.64}
    other |= {"accuracy_first": 0.81, "accuracy_best": 0.83, "accuracy_last": 0.82, "epochs": 9, "best_epoch": 4}
    return measured({name: other | means for name, means in models.items()}).assign(epochs=9)


MEMORISES = {"train_best": 0.2, "train_last": 0.06, "val_best": 0.4, "val_last": 0.7}
LEARNS = {"train_best": 0.21, "train_last": 0.12, "val_best": 0.41, "val_last": 0.45}
DIVERGES = {"train_best": 0.2, "train_last": 0.8, "val_best": 0.4, "val_last": 0.9}


@pytest.mark.parametrize(("losses", "does"), [(MEMORISES, "se"), (LEARNS, "no se"), (DIVERGES, "no se")])
def test_q1_overfitting_is_validation_rising_while_training_falls(losses, does):
    """Se sobreajusta quien sigue bajando en entrenamiento y sube en validación; quien empeora en los dos, no."""
    rows = fitted(otro=MEMORISES | {"val_last": 0.42}, simple=losses)
    mean = rows[rows["model"] == "simple"].mean(numeric_only=True)
    least, end, first, last = (
        words.number(mean[name]) for name in ("val_best", "val_last", "train_first", "train_last")
    )
    assert q1.overfitting(rows, "simple") == (
        f"El simple {does} sobreajusta: su pérdida de validación baja a {least} y acaba en {end}; la de entrenamiento "
        f"va de {first} a {last}. Su mejor época ronda la 4."
    )
    still = q1.overfitting(rows.assign(val_last=rows["val_best"]), "simple")
    assert still.startswith(f"El simple no se sobreajusta: su pérdida de validación baja a {least} y aún no sube; ")
    assert q1.overfitting(rows.assign(epochs=1), "simple") == "Con una sola época no se ve si el simple se sobreajusta."


def test_q1_overfitting_begins_a_quarter_above_the_minimum():
    """La frontera es la que dice el capítulo: una cuarta parte por encima del mínimo."""
    row = {"model": "a", "train_best": 0.2, "train_last": 0.1, "val_best": 0.4}
    assert [q1.overfits(pd.DataFrame([row | {"val_last": last}]), "a") for last in (0.499, 0.501)] == [False, True]


def test_q1_fits_are_the_first_best_and_last_epoch():
    """De cada entrenamiento, su primera época, su mejor, que no es la última, y su última; la brecha, con su signo."""
    runs = {"a": [make_run(4), make_run(1, n_epochs=6, best=2)], "b": [make_run(2)]}
    rows = q1.fits(runs)
    assert rows[["model", "seed", "epochs", "best_epoch"]].to_numpy().tolist() == [
        ["a", 4, 5, 3], ["a", 1, 6, 2], ["b", 2, 5, 3]
    ]  # fmt: skip
    for row, run in zip(rows.itertuples(), [*runs["a"], *runs["b"]], strict=True):
        for when, i in {"first": 0, "best": run.best_epoch - 1, "last": row.epochs - 1}.items():
            train, val = run.history["train_loss"][i], run.history["val_loss"][i]
            found = [getattr(row, f"{name}_{when}") for name in ("train", "val", "gap", "accuracy")]
            assert found == [train, val, val - train, run.history["val_accuracy"][i]]


def test_q1_gaps_are_by_epoch_and_seed():
    """La brecha, por época contada desde 1 y por semilla, es la validación menos el entrenamiento evaluado."""
    runs = {"a": [make_run(4), make_run(1)], "b": [make_run(2, n_epochs=3)]}
    found = q1.gaps(runs)
    assert list(found) == ["a", "b"]
    assert (found["a"].columns.tolist(), found["b"].index.tolist()) == ([4, 1], [1, 2, 3])
    for run in runs["a"]:
        for epoch in range(1, 6):
            losses = (run.history[f"{sense}_loss"][epoch - 1] for sense in ("val", "train"))
            assert found["a"].loc[epoch, run.seed] == pytest.approx(np.subtract(*losses))


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        ([-0.30001, -0.30003, -0.30002], "Parar ahí no le basta"),
        ([-0.2, -0.3, -0.4], "Parece que parar ahí no le basta"),
        ([-0.1, -0.9, 0.3], "Estas semillas no dicen si parar ahí le bastaría"),
        ([0.2, 0.3, 0.4], "Parar ahí le bastaría"),
    ],
)
def test_q1_asks_what_stopping_would_give(apart, said):
    """La pérdida de validación de las dos en la época media que elige la primera, por parejas de semillas."""
    simple, regularised = [make_run(i) for i in range(3)], [make_run(i) for i in (2, 0, 1)]  # en otro orden
    for run, losses in zip(simple, ([9, 1, 9], [9, 9, 3], [9, 9, 2]), strict=True):
        run.history["val_loss"] = losses  # la media de 2, 3 y 3 es la 3
    for run in regularised:
        run.history["val_loss"] = [0, 0, (9, 3, 2)[run.seed] + apart[run.seed], 0.001]
    text = q1.stopping_reading({"simple": simple, "regularizado": regularised})
    assert text == (
        f"En la época 3, hacia la que el simple da lo mejor, su pérdida de validación media es {words.number(14 / 3)}, "
        f"y la del regularizado, {words.number(14 / 3 + np.mean(apart))}. {said}."
    )
    one = q1.stopping_reading({"simple": simple[:1], "regularizado": regularised[1:2]})
    assert one.endswith("Estas semillas no dicen si parar ahí le bastaría.")
    assert q1.stopping_reading({"simple": simple}) == "Con un solo modelo no hay con qué comparar."


def test_q1_counts_the_weights_of_the_first_layer():
    """De cada unidad, y no de todas juntas ni de otra capa, lo que reúne un décimo de sus píxeles, sin signo."""
    kernel = np.full((20, 2), 0.5)
    kernel[[3, 7], 0] = -20.5, 20  # dos píxeles de veinte: 40,5 de los 49,5 de la primera unidad; 1 de 10 de la otra
    model = SimpleNamespace(get_weights=lambda: [np.zeros(2), kernel, np.ones(2), np.ones((2, 3))])
    np.testing.assert_array_equal(first_layer.weights(model), kernel.T)
    found = first_layer.concentration({"a": [SimpleNamespace(model=model, seed=4)]})
    assert found[["model", "seed"]].values.tolist() == [["a", 4]]
    assert found["share"].tolist() == pytest.approx([(40.5 / 49.5 + 1 / 10) / 2])
    few = SimpleNamespace(get_weights=lambda: [np.array([[1.0], [3.0]])])  # de dos píxeles, uno
    assert first_layer.concentration({"a": [SimpleNamespace(model=few, seed=0)]})["share"].tolist() == [0.75]


def test_q1_reads_the_first_layer(monkeypatch):
    """En cuál están más juntos los pesos, en puntos, si las semillas lo ven y hay con qué comparar."""
    rows = measured({"simple": {"share": 0.27}, "regularizado": {"share": 0.31}})
    percents = rows.groupby("model", sort=False)["share"].agg(words.mean_and_spread, 2, 100)
    text = first_layer.concentration_reading(rows)
    assert text.startswith("En cada unidad, los píxeles de más peso, que son uno de cada diez, reúnen esta parte")
    assert (
        f": en el simple, el {percents['simple']}\xa0%; en el regularizado, el {percents['regularizado']}\xa0%." in text
    )
    bounds = words.interval(compare(rows.assign(share=100 * rows["share"]), "regularizado", "simple", "share"), 2)
    assert text.endswith(
        f"%. Reúnen más los del regularizado (lo que reúnen difiere en 4,00 puntos, intervalo del 95\xa0% {bounds})."
    )
    assert "Parecen reunir más los del reg" in first_layer.concentration_reading(rows[rows["seed"].isin([3, 0])])
    turned = rows.assign(model=rows["model"].map({"simple": "regularizado", "regularizado": "simple"}))
    text = first_layer.concentration_reading(turned)
    assert "Reúnen más los del simple (lo que reúnen difiere en −4,00 puntos" in text
    same = measured({"simple": {"share": 0.27}, "regularizado": {"share": 0.27}})
    assert "Estas semillas no distinguen lo que reúnen (" in first_layer.concentration_reading(same)
    monkeypatch.setattr(words, "SURE", 0)
    assert ". Parecen reunir más los del regularizado (" in first_layer.concentration_reading(rows)
    for few in (rows[rows["model"] == "simple"], rows[rows["seed"] == 3]):
        assert first_layer.concentration_reading(few).endswith("sería el 19\xa0%.")


def test_q1_reads_the_gap():
    """La brecha de cada modelo, de la primera época a la última, y cuál es mayor al final, si se distinguen."""
    simple, wide = {"gap_first": -0.31, "gap_last": 0.6}, {"gap_first": -0.22, "gap_last": 0.66}
    rows = fitted(simple=simple, regularizado=wide)
    mean = rows.groupby("model")[["gap_first", "gap_last"]].mean().map(words.number)
    (a, b), (c, d) = (mean.loc[name] for name in ("simple", "regularizado"))
    text = q1.gap_reading(rows)
    assert text.startswith(
        f"De la primera época a la última, la brecha de pérdida del simple va de {a} a {b}; la del regularizado va de "
        f"{c} a {d}. En la última, es mayor la del regularizado (diferencia de pérdida de −0,0600, intervalo del 95"
    )
    assert text.endswith(f" {words.interval(compare(rows, 'simple', 'regularizado', 'gap_last'))}).")
    assert "En la última, " in q1.gap_reading(rows[rows["seed"].isin([3, 0])])
    assert "es mayor la del simple (" in q1.gap_reading(fitted(simple=wide, regularizado=simple))
    assert "no las distinguen (" in q1.gap_reading(fitted(simple=simple, regularizado=simple))
    assert q1.gap_reading(rows[rows["model"] == "simple"]).endswith(f"del simple va de {a} a {b}.")
    assert "En la última, " not in q1.gap_reading(rows[rows["seed"] == 3])


FITTED = fitted(simple=MEMORISES, regularizado=LEARNS)
WINS = {BETTER: "gana con 5 de 5 semillas", WORSE: "gana con 0 de 5 semillas"}


@pytest.mark.parametrize(
    ("loss", "choice", "why"),
    [
        (BETTER, "es preferible el modelo regularizado", ": el simple se sobreajusta y él no"),
        (WORSE, "es preferible el modelo simple", ", aunque se sobreajusta y el otro no"),
    ],
)
def test_q1_prefers_what_validation_prefers_and_says_why(loss, choice, why):
    """Q1 prefiere el de menor pérdida de validación y dice quién se sobreajusta; si la prueba lo contradice, «pero»."""
    rows = table({"simple": SAME, "regularizado": loss})
    answer = q1.answer(rows, FITTED)
    assert answer.verdict == f"{choice}, pero en el conjunto de prueba acierta menos"
    assert answer.text.startswith(
        f"**Según estas semillas, {choice}, pero en el conjunto de prueba acierta menos{why}.** En validación, "
    )
    agreed = q1.answer(rows.assign(test_accuracy=1 - rows["val_loss"]), FITTED)
    assert agreed.verdict == choice
    assert agreed.text.startswith(
        f"**Según estas semillas, {choice}{why}.** En validación, la pérdida del regularizado"
    )
    assert agreed.text.count(WINS[loss]) == 2
    assert agreed.text.endswith("semillas).")


def test_q1_only_seems_to_prefer_what_other_seeds_might_not():
    """Con diferencias que se repiten poco (p entre 0,0001 y 0,05), la preferencia y la brecha solo «parecen»."""
    rows, fit = table({"simple": SAME, "regularizado": BETTER}), FITTED.copy()
    away = dict(zip(SEEDS, [0.03, 0.0, 0.03, 0.0, 0.015], strict=True))  # lo que una semilla se aparta de otra
    ours = rows["model"] == "regularizado"
    rows.loc[ours, ["val_loss", "test_accuracy"]] -= rows[ours]["seed"].map(away).to_numpy()[:, None] - 0.015
    fit.loc[fit["model"] == "regularizado", "gap_last"] -= fit["seed"].map(away) * 3 + 0.1
    assert 1e-4 < compare(rows, "regularizado", "simple", "val_loss").p_value < 0.05
    assert q1.answer(rows, fit).verdict.startswith("parece preferible el modelo regularizado")
    assert 1e-4 < compare(fit, "regularizado", "simple", "gap_last").p_value < 0.05
    assert "En la última, parece mayor la del simple (" in q1.gap_reading(fit)


def test_q1_says_when_both_or_none_overfit():
    """Si los dos se sobreajustan se dice, y si ninguno, no se da por causa."""
    rows = table({"simple": SAME, "regularizado": BETTER}).assign(test_accuracy=0.5)
    chosen = "**Según estas semillas, es preferible el modelo regularizado"
    both, none = fitted(simple=MEMORISES, regularizado=MEMORISES), fitted(simple=LEARNS, regularizado=LEARNS)
    assert q1.answer(rows, both).text.startswith(f"{chosen}, aunque los dos se sobreajustan.**")
    assert q1.answer(rows, none).text.startswith(f"{chosen}.**")


def test_q1_versus_says_what_each_gives_and_how_often_it_wins():
    """Las medias, la diferencia con su signo y su intervalo, y las semillas en que gana, por parejas, en su sentido."""
    rows = table({"simple": SAME, "regularizado": BETTER})
    rows.loc[(rows["model"] == "regularizado") & (rows["seed"] == 3), "val_loss"] = 0.9  # pierde con una semilla
    by_seed = rows.pivot(index="seed", columns="model", values="val_loss")
    difference = by_seed["regularizado"] - by_seed["simple"]
    ours, theirs, apart = map(words.number, (*by_seed[["regularizado", "simple"]].mean(), difference.mean()))
    bounds = words.interval(compare(rows, "regularizado", "simple", "val_loss"))
    assert q1.versus(rows, "val_loss", "regularizado", "simple") == (
        f"En validación, la pérdida del regularizado es {ours} y la del simple, {theirs}: estas semillas no las "
        f"distinguen (diferencia de {apart}, intervalo del 95\xa0% {bounds}; gana con 4 de 5 semillas).",
        "sin diferencia",
        compare(rows, "regularizado", "simple", "val_loss").p_value,
    )
    said, found, _ = q1.versus(rows, "test_accuracy", "simple", "regularizado")
    assert found == "mejor"  # la prueba dice lo contrario
    assert said.startswith("En el conjunto de prueba, la exactitud del simple es 85,0")
    assert re.search(r"\(diferencia de 3,0\d puntos, intervalo del 95\s% \[\d,.*; gana con 5 de 5 semillas\)\.$", said)


def test_q1_with_a_tie_prefers_nothing():
    """Si las semillas no distinguen las pérdidas, la respuesta lo dice y da las dos."""
    answer = q1.answer(table({"simple": SAME, "regularizado": SAME}), FITTED)
    assert answer.verdict == "estas semillas no dicen cuál es preferible"
    assert answer.text.startswith("**Estas semillas no dicen cuál es preferible.** En validación, ")


def test_q1_with_one_seed_prefers_nothing():
    """Con una semilla no se prefiere ninguno ni se da un intervalo, pero se dice lo que dio y si se sobreajustó."""
    rows = table({"simple": SAME, "regularizado": BETTER})
    one, fit = rows[rows["seed"] == 4], FITTED[FITTED["seed"] == 4]
    answer = q1.answer(one, fit)
    assert answer.verdict == "una sola semilla no dice cuál es preferible"
    assert answer.text.startswith("**Una sola semilla no dice cuál es preferible.** Con ella, el simple da pérdida 0,6")
    assert answer.text.endswith(q1.overfitting(fit, "regularizado"))
    assert "intervalo" not in answer.text
    late = reached({name: dict.fromkeys(SENSES, [1] * 5) for name in ("simple", "regularizado")})
    found = q1.claims(one, late[late["seed"] == 4])
    assert {claim.outcome for claim in found} == {"estas semillas no lo deciden"}
    assert not re.search("∞|no definido|nan", str(found))


def test_q1_with_one_model_says_what_it_measured():
    """Con un solo modelo, Q1 da su prueba, su validación y si se sobreajusta, y dice cómo compararlo."""
    rows = table({"simple": 0.2})
    answer = q1.answer(rows, FITTED)
    loss = words.mean_and_spread(rows["val_loss"])
    assert answer.verdict == "sin comparación"
    assert answer.text == (
        f"**Solo se ha entrenado un modelo**: el simple da {words.in_test(rows, 'simple')}. En validación, pérdida "
        f"{loss} y exactitud {words.mean_and_spread(rows['val_accuracy'], 2, 100)}\xa0%. "
        f"{q1.overfitting(FITTED, 'simple')} Para compararlo con el otro, `model` debe ser «ambos»."
    )
    (claim,) = q1.claims(rows, reached({"simple": dict.fromkeys(SENSES, [1] * 5)}))
    assert claim.outcome == "sin comparación"


def test_q1_counts_what_only_one_model_gets_right():
    """McNemar cuenta las imágenes que solo acierta cada modelo, cada una del suyo; con uno solo, se pide el otro."""
    y, i = np.zeros(100, int), np.arange(100)
    predictions = {"simple": np.where(i < 88, 0, 1), "regularizado": np.where((i < 1) | (i > 98), 1, 0)}
    sentence = q1.disagreement(y, predictions)
    # El simple falla las 12 últimas; el regularizado, la primera y la última, que fallan los dos.
    assert "el modelo simple acierta 1 imagen que el otro falla, y el regularizado, 11 imágenes (McNemar" in sentence
    # Doce discordancias, 1 y 11: 2 · (1 + 12) / 2¹² = 0,0063; y sqrt(0,88 · 0,12 / 100) = 0,0325.
    assert "(McNemar, p = 0,0063). Sobre 100 imágenes" in sentence
    assert sentence.endswith("es, como mucho, de 3,25 puntos.")
    assert "p < 0,0001" in q1.disagreement(y, predictions | {"simple": np.ones(100, int)})
    one = q1.disagreement(y, {"simple": y})
    assert one == "Para contar las imágenes que solo acierta uno de los modelos hacen falta los dos."
    even = q1.disagreement(y, {"simple": np.where(i < 1, 1, 0), "regularizado": np.where(i > 98, 1, 0)})
    assert "el modelo simple acierta 1 imagen que el otro falla, y el regularizado, 1 imagen (McNemar, p = 1" in even
    many = q1.disagreement(y, {"simple": np.where(i < 3, 1, 0), "regularizado": np.where(i > 97, 1, 0)})
    assert "el modelo simple acierta 2 imágenes que el otro falla, y el regularizado, 3 imágenes (McNemar" in many
    same = q1.disagreement(y, {"simple": predictions["simple"], "regularizado": predictions["simple"] * 2})
    assert same == "Con esta semilla, los dos modelos aciertan las mismas imágenes de las 100 de prueba."


EARLY, LATE, NEVER = [1, 2, 1, 2, 1], [5, 6, 6, 5, 6], [None] * 5


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome", "said"),
    [
        (EARLY, LATE, "mejor", "Las épocas del regularizado menos las del simple: −4,2, intervalo del 95\xa0% [−"),
        (LATE, EARLY, "peor", "Las épocas del regularizado menos las del simple: 4,2, intervalo del 95\xa0% ["),
        (EARLY, [2, 1, 1, 2, 1], "sin diferencia", "Las épocas del regularizado menos las del simple: 0,0, "),
        (EARLY, [2, 3, 2, 3, 2], "sin diferencia", "Las épocas del regularizado menos las del simple: −1,0."),
        (LATE, NEVER, "mejor", "Llega siempre el regularizado; el otro, nunca."),
        (NEVER, LATE, "peor", "Llega siempre el simple; el otro, nunca."),
        (NEVER, NEVER, "sin diferencia", "Antes que el otro, el regularizado llega con 0 de 5 semillas; el simple "),
        ([9, None, 9, 9, 9], EARLY, "sin diferencia", "Antes que el otro, el regularizado llega con 0 de 5 semillas; "
         "el simple llega con 5 de 5 (prueba de los signos, p = 0,0625)."),
        ([1, 1, 1, 1, None], [2, 3, 4, None, None], "sin diferencia", "Antes que el otro, el regularizado llega con 4 "
         "de 5 semillas; el simple llega con 0 de 5 (prueba de los signos, p = 0,1250)."),
    ],
)  # fmt: skip
def test_q1_judges_who_arrives_sooner(ours, theirs, outcome, said):
    """Si llegan todas, la diferencia de épocas; siempre contra nunca no es un empate; y si no, los signos."""
    arrivals = reached({"simple": {"val_": theirs}, "regularizado": {"val_": ours}})
    sentence, found, p_value = q1.sooner(arrivals, "regularizado", "simple")
    assert (found, sentence[: len(said)]) == (outcome, said)
    assert (p_value < 0.05) == (outcome != "sin diferencia")


def test_q1_signs_decide_with_enough_seeds():
    """Con seis semillas o más, llegar antes con todas decide aunque alguna no llegue: p = 2 / 2⁶."""
    rows = [("regularizado", s, s + 9 if s else pd.NA, s + 9 if s else 31) for s in range(6)]
    rows += [("simple", s, s + 1, s + 1) for s in (3, 0, 5, 1, 2, 4)]
    arrivals = pd.DataFrame(rows, columns=["model", "seed", "epoch", "epochs_waited"]).astype({"epoch": "Int64"})
    assert q1.sooner(arrivals, "regularizado", "simple").outcome == "peor"
    said, found, p_value = q1.sooner(arrivals, "simple", "regularizado")
    assert (found, p_value) == ("mejor", 2 / 2**6)
    assert "con 6 de 6 semillas; el regularizado llega con 0 de 6 (prueba de los signos, p = 0,0312)" in said


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome", "p"),
    [(LATE, NEVER, "mejor", "0,0079"), (NEVER, LATE, "peor", "0,0079"), (EARLY, LATE, "sin diferencia", "1,0000"),
     ([1, 1, 1, None, 1], NEVER, "mejor", "0,0476"), ([1, 1, 1, None, None], NEVER, "sin diferencia", "0,1667")],
)  # fmt: skip
def test_q1_judges_who_arrives_with_more_seeds(ours, theirs, outcome, p):
    """Solo cuenta cuántas semillas llegan, no cuándo: la prueba exacta de Fisher, con p = 2 / C(10, 5) en 5 a 0."""
    arrivals = reached({"simple": {"val_": theirs}, "regularizado": {"val_": ours}})
    sentence, found, p_value = q1.easier(arrivals, "regularizado", "simple")
    assert (found, words.number(p_value)) == (outcome, p)
    ours, theirs = (words.epochs_reaching(epochs) for epochs in (ours, theirs))
    assert sentence == f"El regularizado {ours}; el simple {theirs} (Fisher, p = {p})."


def test_q1_claims_are_what_2020_claimed_and_never_of_the_running_loss():
    """Cinco desenlaces: la preferencia, y antes y más fácil en cada sentido comparable; la corriente no decide nada."""
    arrivals = {
        "simple": {"": NEVER, "train_": EARLY, "val_": NEVER},
        "regularizado": {"": EARLY, "train_": [4, 5, 3, 4, 3], "val_": LATE},
    }
    rows = reached(arrivals, {"simple": 1.0, "regularizado": 20.0})
    found = q1.claims(table({"simple": SAME, "regularizado": WORSE}), rows)
    senses = [SENSES["train_"], SENSES["val_"]]
    assert [claim.statement for claim in found] == [
        "El modelo regularizado es preferible",
        *(f"«Agiliza el proceso de optimización»: llega antes a los umbrales ({sense})" for sense in senses),
        *(f"Es más fácil llegar a los umbrales ({sense}): llegan más semillas" for sense in senses),
    ]
    assert [claim.outcome for claim in found] == [
        "se refuta", "parece refutarse", "parece confirmarse", "estas semillas no lo deciden", "parece confirmarse"
    ]  # fmt: skip
    assert " El regularizado tarda 76,0 ±\xa0" in found[1].evidence
    assert found[1].evidence.count("; el simple, 1,4 ±\xa0") == 1
    assert "; el simple, al menos 10,0 ±\xa0" in found[2].evidence  # no llega: cuenta lo entrenado y una época más
    assert "al menos" not in found[1].evidence
    swapped = rows.assign(epoch=rows["epoch"].where(rows["sense"] != "", 7))
    assert q1.claims(table({"simple": SAME, "regularizado": WORSE}), swapped) == found


def test_sign_flips_count_every_combination():
    """De las 2ⁿ combinaciones de signos, la parte cuya media se aparta tanto como la vista, a mano."""
    assert claims.sign_flips([0.3, 0.2, 0.1]) == pytest.approx(2 / 8)
    # 0,3 + 0,2 + 0,1 − 0,05 = 0,55: la igualan o pasan, en valor absoluto, 0,65 y 0,55, cada una con su contraria.
    assert claims.sign_flips([0.3, 0.2, 0.1, -0.05]) == pytest.approx(4 / 16)
    assert claims.sign_flips([0.0, 0.0, 0.0]) == 1
    assert np.isnan(claims.sign_flips([0.5]))
    assert claims.sign_flips([1.0] * 20) < 0.001


def test_wins_and_signs_are_of_the_first():
    """Ganar es menos pérdida o más exactitud, de la primera red de la pareja; lo que no se entrenó no se compara."""
    rows = table({"a": BETTER, "b": SAME, "c": SAME})
    rows["val_accuracy"] = rows["val_loss"]
    said = claims.checked(rows, [("a", "b"), ("b", "a"), ("a", "otra")])
    assert said == (
        "Comprobado con los cambios de signo: a, frente a b, gana con 5 de 5 semillas (p = 0,0625); b, frente a a, "
        "gana con 0 de 5 semillas (p = 0,0625)."
    )
    assert "a, frente a b, gana con 0 de 5 semillas" in claims.checked(rows, [("a", "b")], "val_accuracy")
    assert claims.checked(rows, [("a", "otra")]) == claims.checked(rows.query("seed == 0"), [("a", "b")]) == ""
    found = claims.compared(rows, [("a", "b"), ("b", "a")], "val_accuracy")
    assert found["outcome"].tolist() == ["peor", "mejor"]


def test_holm_corrects_a_family():
    """El menor de cuatro por 4, el siguiente por 3...; ninguno baja del anterior ni pasa de 1, en su orden."""
    # A mano: 0,01·4 = 0,04; 0,011·3 = 0,033, que sube a 0,04; 0,02·2 = 0,04; 0,6·1.
    assert claims.holm([0.02, 0.01, 0.6, 0.011]) == pytest.approx([0.04, 0.04, 0.6, 0.04])
    assert claims.holm([0.3, 0.001, 0.4]) == pytest.approx([0.6, 0.003, 0.6])
    assert claims.holm([0.5, 0.7]) == [1, 1]
    assert claims.holm([0.04]) == [0.04]


SOFTMAX, SIGMOID, LINEAR, *SQUARED = q2.PAIRS
# En prueba, softmax acierta más que la sigmoide y menos que la lineal; en validación, al revés.
OUTPUTS = {SOFTMAX: SAME, SIGMOID: BETTER, LINEAR: WORSE, SQUARED[0]: SAME, SQUARED[1]: 0.2}
LEARNED = {name: pd.DataFrame({0: [50.0 + i]}, index=[1]) for i, name in enumerate(q2.PAIRS)}


def points(rows: pd.DataFrame, column: str, name: str, how: str) -> str:
    """La pareja, cómo queda softmax y su diferencia, por semillas."""
    change = words.number(100 * compare(rows, SOFTMAX, name, column).mean_difference, 2)
    return f"comparada con la de {name}, {how} ({change} puntos)"


@pytest.mark.parametrize(("split", "where"), [("test", "en prueba"), ("val", "en validación")])
def test_q2_says_from_which_pairs_softmax_differs(split, where):
    """Cada pareja pedida, en su orden, con su diferencia, y la exactitud de softmax en esa partición."""
    rows, column = table(OUTPUTS), f"{split}_accuracy"
    less, how = (LINEAR, ["es mayor", "es menor"]) if split == "test" else (SIGMOID, ["es menor", "es mayor"])
    how.append("no se distingue")
    if split == "val":  # `table` da la misma exactitud en el mismo orden: al revés, a mano
        rows["val_accuracy"] = 1 - rows["val_accuracy"]
    said, better = q2.standing(rows, split, [SIGMOID, LINEAR, SQUARED[0]])
    own = words.mean_and_spread(rows.loc[rows["model"] == SOFTMAX, column], 2, 100)
    told = [points(rows, column, *each) for each in zip((SIGMOID, LINEAR, SQUARED[0]), how, strict=True)]
    assert said == f"La exactitud {where} de {SOFTMAX} es {own}\xa0%; {'; '.join(told)}."
    corrected = claims.holm([compare(rows, SOFTMAX, name, column).p_value for name in (SIGMOID, LINEAR, *SQUARED)])
    assert better == pytest.approx(corrected[0 if less == LINEAR else 1])
    said, better = q2.standing(rows, split, [SQUARED[0], less])
    assert better is None
    assert "mayor" not in said


def test_q2_tells_nothing_apart_with_one_seed():
    """Con una semilla no se distingue ninguna pareja, por grande que sea la diferencia."""
    one = table(OUTPUTS).query("seed == 0")
    said, better = q2.standing(one, "test", [SIGMOID, LINEAR])
    pair = [points(one, "test_accuracy", name, "no se distingue") for name in (SIGMOID, LINEAR)]
    assert said.endswith(f"\xa0%; {'; '.join(pair)}.")
    assert better is None


def test_q2_compares_softmax_with_a_family_of_four():
    """Una diferencia que pasa sola y no entre las cuatro parejas, por Holm, no se da por buena."""
    rows = table(OUTPUTS)
    softmax = rows[rows["model"] == SOFTMAX].set_index("seed")["test_accuracy"]
    differences = dict(zip(SEEDS, 0.01 + 0.007 * np.array([1, -1, 1, -1, 0]), strict=True))
    other = rows["model"] == LINEAR
    rows.loc[other, "test_accuracy"] = [softmax[seed] - differences[seed] for seed in rows[other]["seed"]]
    found = compare(rows, SOFTMAX, LINEAR, "test_accuracy")
    assert 0.025 < found.p_value < 0.05  # es la tercera de las cuatro: se dobla
    assert "no se distingue" in q2.standing(rows, "test", [LINEAR])[0]


def test_q2_answers_with_theorem_test_and_first_epoch(monkeypatch):
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
    monkeypatch.setattr(words, "SURE", 0)
    assert q2.answer(rows, LEARNED).verdict == f"{why}; además, parece acertar más"
    worse = table(OUTPUTS | {SIGMOID: WORSE})
    assert q2.answer(worse, LEARNED).verdict == f"{why}; no se ve que acierte más"


def test_q2_claims_say_what_is_maximised():
    """Multiclase es cierto y no basta, con la prueba; se maximiza la clase verdadera, con la validación de softmax."""
    rows = table(OUTPUTS)
    multiclass, maximised = q2.claims(rows)
    assert [multiclass.outcome, maximised.outcome] == ["es cierto, pero no basta", "se refuta"]
    assert multiclass.statement == "Porque es clasificación multiclase"
    assert maximised.statement == "Se quiere maximizar la probabilidad de la clase más probable"
    assert maximised.evidence.startswith("Se maximiza la de la clase verdadera. Es la más probable en las imágenes que")
    assert multiclass.evidence.endswith(q2.standing(rows, "test", [SIGMOID, LINEAR])[0])
    own = words.mean_and_spread(rows.loc[rows["model"] == SOFTMAX, "val_accuracy"], 2, 100)
    assert f"(exactitud de validación, {own}\xa0%)" in maximised.evidence
    assert "baja el logit de la más probable y sube el de la verdadera" in maximised.evidence

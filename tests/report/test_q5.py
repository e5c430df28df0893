"""Q5 dice lo que se midió: qué se gana con las capas y con la receta, qué aporta cada paso y dónde cae 2020."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from samples import SEEDS, make_run, measured

from tarea4.report import claims, q5, words
from tarea4.statistics import compare, prediction_interval

BETTER, SAME, WORSE = 0.32, 0.35, 0.38  # pérdidas de validación frente a la de partida, SAME


def table(losses: dict[str, float], **columns) -> pd.DataFrame:
    """De cada red, su pérdida de validación; su exactitud y toda la prueba dicen lo contrario."""
    return measured({
        name: {"val_loss": loss, "val_accuracy": 0.3 + loss, "test_loss": 1 - loss, "test_accuracy": 0.5 + loss}
        | {"train_loss": 2 - loss}
        for name, loss in losses.items()
    }).assign(parameters=34_775, **columns)  # fmt: skip


def said(rows, name, other, column="val_loss", where="en validación"):
    """La frase que compara dos redes en una columna."""
    return words.verdict(
        f"la red {name}", f"la {other}", column.split("_")[1], compare(rows, name, other, column), where
    )


@pytest.mark.parametrize(
    ("layers", "recipe", "verdict", "best"),
    [
        (SAME, BETTER, "cambiar solo las capas no se nota; cambiar también la receta mejora", "receta"),
        (BETTER, WORSE, "cambiar solo las capas mejora; cambiar también la receta empeora", "capas"),
        (WORSE, 0.45, "cambiar solo las capas empeora; cambiar también la receta empeora", "partida"),
    ],
)
def test_layers_and_recipe_are_told_apart(layers, recipe, verdict, best):
    """Cada cambio se compara con la de partida en validación; la elegida da sus errores de prueba, que no eligen."""
    rows = table({"partida": SAME, "capas": layers, "receta": recipe, "de 2020": 0.01})
    answer = q5.answer(rows, "partida", "capas", "receta")
    wrong = {name: words.mean_and_spread(1 - group["test_accuracy"], 2, 100) for name, group in rows.groupby("model")}
    than = ", y es la de partida" if best == "partida" else f"; la de partida, partida, en {wrong['partida']}"
    assert answer.verdict == f"sin pasar de los parámetros de 2020, {verdict}"
    assert answer.text == (
        f"**Sin pasar de los parámetros de 2020, {verdict}.** La mejor de las "
        f"entrenadas aquí, {best}, se equivoca en {wrong[best]} de cada 100 "
        f"imágenes de prueba{than}. "
        f"{said(rows, 'capas', 'partida')} {said(rows, 'receta', 'partida')}"
    )


def test_without_other_layers_only_the_recipe_is_told():
    """Si las mejores capas son las de partida, la respuesta no habla de otras."""
    rows = table({"partida": SAME, "receta": BETTER})
    answer = q5.answer(rows, "partida", None, "receta")
    assert answer.verdict == "sin pasar de los parámetros de 2020, cambiar también la receta mejora"
    assert "capas" not in answer.text
    more = rows["model"].map({"partida": 1, "receta": 34_776})
    beyond = q5.answer(rows.assign(parameters=more), "partida", None, "receta")
    assert beyond.verdict == "cambiar también la receta mejora"


def test_one_seed_decides_nothing():
    """Con una semilla no hay intervalo, y la respuesta no dice que algo mejore ni que no se note."""
    rows = table({"partida": SAME, "capas": SAME, "receta": BETTER}).query("seed == 0")
    answer = q5.answer(rows, "partida", "capas", "receta")
    assert answer.verdict == "con una sola semilla no se sabe qué se gana"
    two = table({"partida": SAME, "capas": SAME, "receta": BETTER}).query("seed < 2")
    assert "una sola semilla" not in q5.answer(two, "partida", "capas", "receta").verdict
    assert answer.text.count("no hay intervalo") == 2
    assert "±" not in answer.text


def test_a_winner_disappoints_or_not():
    """Lo prometido y lo que da con otras semillas, con el sentido de la diferencia."""
    assert q5.expectation(0.05, [0.06, 0.08]) == (
        "En la búsqueda dio una pérdida de validación de 0,0500; con las semillas de este cuaderno, 0,0700 "
        "±\xa00,0141: 0,0200 más."
    )
    assert q5.expectation(0.08, [0.06, 0.08]).endswith("0,0100 menos.")


STEPS = {"a": 0.35, "b": 0.351, "c": 0.30, "d": 0.33}
REFERENCES = {"b": "a", "c": "b", "d": "c"}


def test_each_step_is_compared_with_its_reference():
    """La diferencia de cada paso es la suya, y los valores p llevan la corrección de Holm, escrita a mano."""
    rows = table(STEPS)
    changes = claims.compared(rows, REFERENCES.items()).set_index("model")
    plain = {name: compare(rows, name, other, "val_loss") for name, other in REFERENCES.items()}
    assert changes["difference"].to_dict() == {name: each.mean_difference for name, each in plain.items()}
    first, second, third = sorted(each.p_value for each in plain.values())
    assert sorted(changes["holm"]) == pytest.approx([3 * first, max(3 * first, 2 * second), max(2 * second, third)])
    assert changes["holm"].idxmax() == max(plain, key=lambda name: plain[name].p_value) == "b"


def test_steps_are_read_from_the_largest_gain(monkeypatch):
    """Primero lo que baja la pérdida, de más a menos; después lo que la sube y lo que no se nota."""
    outcomes, holm = ["mejor", "mejor", "peor", "sin diferencia"], [1e-5, 2e-5, 0.01, 0.2]
    changes = pd.DataFrame({"model": ["uno", "dos", "tres", "cuatro"], "difference": [-0.1, -0.3, 0.2, -0.9],
                            "outcome": outcomes, "holm": holm})  # fmt: skip
    monkeypatch.setattr(q5, "compared", lambda measured, pairs: changes.head(len(pairs) if measured is rows else 0))
    rows = table(dict(zip("abcdf", (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)))
    rows = pd.concat([rows, rows[rows["model"] == "f"].assign(model="e")])  # la que no cambia nada

    def read(names):
        return q5.steps_reading(rows, dict.fromkeys(names, "f"))

    assert read("abcd").endswith(
        "la pérdida de validación, en nats, baja con «dos» (−0,3000), «uno» (−0,1000); parece subir con «tres» "
        "(0,2000); no cambia de modo que se note con «cuatro» (−0,9000)."
    )
    assert read("a").startswith("En 1 paso, comparado cada uno con el anterior (5 semillas) y ")
    assert "sub" not in read("ab").replace("nats", "")
    assert read("abe") == f"{read('ab')} «e» no cambia nada: se eligió lo que ya había."


def test_a_single_figure_is_placed_by_prediction():
    """Dentro o fuera del intervalo donde caería un entrenamiento más, extremos incluidos; con una no se sabe."""
    values = [0.10, 0.12, 0.11, 0.13]
    _, low, high = prediction_interval(values)
    text = f"[{words.number(low)}; {words.number(high)}]"
    half, doubt = (high - low) / 2, (high - low) / 2 / np.sqrt(2 * 3)  # el error de una desviación típica de 4 valores
    mean = low + half
    near = {low: "dentro", high: "dentro", low - 1e-6: "fuera", high + 1e-6: "fuera", high + doubt - 1e-6: "fuera"}
    for figure, where in near.items():
        assert q5.placed(figure, values) == (text, f"{where}, por poco")
    far = {mean: "dentro", high - doubt - 1e-6: "dentro", low - doubt - 1e-6: "fuera", high + 2 * doubt: "fuera"}
    for figure, where in far.items():
        assert q5.placed(figure, values) == (text, where)
    assert q5.placed(0.1, [0.1]) == ("(no hay intervalo con una semilla)", "no se sabe si dentro")


def test_the_log_is_compared_over_its_own_epochs():
    """Cada medida, con la de su nombre y en las épocas registradas: ni una antes ni una después."""
    log = pd.DataFrame({"loss": [0.2, 0.3, 0.4], "accuracy": [0.5, 0.6, 0.7], "val_loss": [0.1, 0.1, 0.1],
                        "val_accuracy": [0.9, 0.9, 0.9]}, index=[3, 4, 5])  # fmt: skip
    runs = [make_run(seed, n_epochs=6) for seed in SEEDS]
    found = q5.log_table({"red": runs}, log).set_index("Red")
    assert list(found.index) == ["2020, épocas 3 a 5", "red"]
    assert list(found.iloc[0]) == ["0,3000", "60,00\xa0%", "0,1000", "90,00\xa0%"]
    for shown, metric in zip(found.loc["red"], log, strict=True):
        show = words.percent if "accuracy" in metric else words.number
        today = [np.mean(run.history[metric][2:5]) for run in runs]
        assert shown == ": ".join(q5.placed(log[metric].mean(), today, show))


def test_the_networks_that_could_have_left_the_log():
    """Se nombran las que tienen dentro más cifras del registro, se dice cuántas, y si ninguna las tiene todas."""
    log = pd.DataFrame({"loss": [0.2], "accuracy": [0.6], "val_loss": [0.3], "val_accuracy": [0.9]}, index=[2])

    def runs(**moved):
        """Cinco entrenamientos alrededor del registro, salvo las medidas que se mueven lejos."""
        figures = log.iloc[0] + pd.Series(moved).reindex(log.columns).fillna(0)
        histories = [{k: [5.0, v + 0.001 * seed] for k, v in figures.items()} for seed in range(-2, 3)]
        return [replace(make_run(seed), history=history) for seed, history in enumerate(histories)]

    some, none = runs(loss=1), runs(**dict.fromkeys(log, 1))
    assert [q5.inside(each, log) for each in (some, runs(), none)] == [3, 4, 0]
    assert q5.log_reading({("a", 32): some, ("a", 64): runs(), ("b", 32): none, ("b", 64): runs()}, log) == (
        "De las 4 combinaciones, 2 dan todas las cifras del registro: a, lotes de 64; b, lotes de 64."
    )
    assert ", 1 da todas las cifras" in q5.log_reading({("a", 32): some, ("b", 32): runs()}, log)
    assert q5.log_reading({("a", 32): some, ("b", 32): none}, log) == (
        "Ninguna de las 2 combinaciones da todas las cifras del registro; las que más dan, 3: a, lotes de 32."
    )


def ask_2020(test_loss, test_accuracy, best=0.99, l1=1e-12, code=34_775):
    """Las afirmaciones, con una red de 2020 de esas medias de prueba y un mejor modelo de esa exactitud."""
    rows = measured({"mejor": {"test_loss": 0.5, "test_accuracy": best, "val_loss": 0.4},
                     "vieja": {"test_loss": test_loss, "test_accuracy": test_accuracy, "val_loss": 0.3}})  # fmt: skip
    runs = [make_run(seed, n_epochs=30) for seed in SEEDS]
    for run in runs:
        run.history.update(l1=[9.0] * 22 + [l1 * (1 + run.seed)] + [9.0] * 7, l2=[9.0] * 22 + [2e-13] + [9.0] * 7)
    return q5.claims(rows, "mejor", "vieja", (code, 34_535), runs), rows


def test_2020_is_judged_by_its_own_recipe():
    """La pérdida y la exactitud de 2020, cada una con el intervalo de predicción de la suya en prueba."""
    (loss, accuracy, *_), rows = ask_2020(0.08, 0.60)
    old = rows[rows["model"] == "vieja"]
    assert (loss.statement, loss.outcome) == ("Da pérdida 0,0800 en prueba", "dentro de lo que da su receta")
    assert (accuracy.statement, accuracy.outcome) == ("Da exactitud 0,9752 en prueba", "fuera de lo que da su receta")
    assert q5.placed(0.08, old["test_loss"])[0] in loss.evidence
    assert q5.placed(0.9752, old["test_accuracy"], words.percent)[0] in accuracy.evidence
    (loss, accuracy, *_), _ = ask_2020(0.60, 0.97)
    assert (loss.outcome[:6], accuracy.outcome[:6]) == ("fuera ", "dentro")


@pytest.mark.parametrize(("best", "outcome"), [(0.99, "superado"), (0.95, "no alcanzado"), (0.97, "no se distinguen")])
def test_2020_is_compared_with_the_best_of_today(best, outcome):
    """El mejor de hoy se compara por semillas con la red de 2020, no con su cifra suelta."""
    (_, _, model, *_), rows = ask_2020(0.08, 0.97, best)
    assert model.outcome == outcome
    names, paired = (
        ("el mejor de los entrenados aquí (mejor)", "el de 2020"),
        compare(rows, "mejor", "vieja", "test_accuracy"),
    )
    assert model.evidence == words.verdict(*names, "accuracy", paired, "en prueba")


@pytest.mark.parametrize(("best", "outcome"), [(0.99, "parece superado"), (0.95, "no parece alcanzado")])
def test_2020_is_compared_with_doubt(best, outcome, monkeypatch):
    """Una diferencia que otras semillas podrían no ver se dice con «parece»."""
    monkeypatch.setattr(words, "SURE", 0)
    assert ask_2020(0.08, 0.97, best)[0][2].outcome == outcome


def test_2020_is_quoted_in_its_order():
    """Las cinco cosas que imprimió aquel informe, con sus cifras."""
    found, _ = ask_2020(0.08, 0.97)
    assert [claim.statement for claim in found] == [
        "Da pérdida 0,0800 en prueba", "Da exactitud 0,9752 en prueba", "Es el mejor modelo que se obtuvo",
        "El resumen cuenta 34\xa0535 parámetros", "La barra de progreso enseña l1 = 1.55e-05 y l2 = 0.0",
    ]  # fmt: skip


def test_2020_and_its_own_code():
    """El resumen se compara con el código, y la barra con la penalización media de la época 23."""
    (*_, summary, bar), _ = ask_2020(0.08, 0.97)
    assert summary.outcome == "no es de la red del código"
    assert "una red de 34\xa0775; sin su segunda capa de 15 son 34\xa0535" in summary.evidence
    assert "l1 = 3·10⁻¹² y l2 = 2·10⁻¹³" in bar.evidence  # la media de 1, 2, ..., 5 · 10⁻¹²
    assert "tendría que ser 3,62·10⁻⁷ (tantas veces menos como imágenes" in bar.evidence  # 70e-15 · 1,55e-5 / 3e-12
    assert bar.evidence.endswith("si Keras no dividía entre ellas), y no 7·10⁻¹⁴.")
    assert bar.outcome == "no sale de sus alfas"
    (*_, summary, bar), _ = ask_2020(0.08, 0.97, l1=5e-6, code=34_535)
    assert (summary.outcome, bar.outcome) == ("es de la red del código", "sale de sus alfas")


def test_the_browser_reads_with_a_model_of_the_size_of_2020():
    """Para el navegador, el mejor en validación de los que no pasan de 2020, o el menor si pasan todos."""
    rows = table({"grande": 0.1, "medio": 0.3, "chico": 0.35, "menor": 0.2})
    rows["parameters"] = rows["model"].map({"grande": 90_000, "medio": 34_775, "chico": 20_000, "menor": 34_776})
    assert q5.affordable(rows) == "medio"
    assert q5.affordable(rows[rows["model"].isin(["grande", "menor"])]) == "menor"


def test_shapes_are_read_within_the_limit_and_without_it():
    """La mejor que cabe, el puesto de la de partida, y la mejor de todas."""
    shapes = pd.DataFrame({"hidden_sizes": ["512", "42", "40-50-15"], "val_loss": [0.05, 0.06, 0.07]})
    assert q5.shapes_reading(shapes, shapes[1:], "40-50-15") == (
        "De las 2 formas que no pasan de los parámetros de 2020, la de menor pérdida media es 42 (0,0600); la de "
        "partida, 40-50-15, es la 2.ª. Sin ese límite, entre 3, es 512 (0,0500)."
    )
    assert " es 42 (0,0600). Sin ese límite" in q5.shapes_reading(shapes, shapes[1:], "42")
    assert "la de partida" not in q5.shapes_reading(shapes, shapes[1:], "9")


def test_the_two_errors_of_the_question():
    """Primero la pérdida de entrenamiento y después la de validación, cada una con su desenlace."""
    rows = table({"partida": SAME, "receta": BETTER})
    trained = said(rows, "receta", "partida", "train_loss", "en entrenamiento, evaluada sin dropout,")
    assert q5.training_reading(rows, "partida", "receta") == f"{trained} {said(rows, 'receta', 'partida')}"
    assert "mayor pérdida en entrenamiento" in trained

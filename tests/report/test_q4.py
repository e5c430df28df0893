"""Q4 contesta primero de lo pedido y después de lo mejor, y llama empate a lo que su familia no distingue."""

import numpy as np
import pandas as pd
import pytest
from samples import measured

from tarea4 import models
from tarea4.evaluation import predict
from tarea4.report import q4, words
from tarea4.report.claims import holm
from tarea4.statistics import compare

SIMPLE, TRY_02, OLD = q4.SIMPLE, q4.TRY_02, q4.OLD
FREE = "otra tasa, sin alfas"
LOSSES = {"pedida": 0.35, "pedida, sin alfas": 0.35, "mejor": 0.31, "mejor, sin alfas": 0.33, FREE: 0.312}
LOSSES |= {SIMPLE: 0.38, TRY_02: 0.352, OLD: 0.36}
WITHOUT = {"pedida": "pedida, sin alfas", "mejor": "mejor, sin alfas"}
WITHOUT |= {base: base for base in WITHOUT.values()}
KNOWN = "la mejor red conocida"


def table(**changes) -> pd.DataFrame:
    """De cada red, su pérdida de validación; la prueba dice lo contrario."""
    losses = LOSSES | changes
    return measured({n: {"val_loss": x, "test_loss": 1 - x, "test_accuracy": 0.5 + x} for n, x in losses.items()})


def answer(rows: pd.DataFrame, asked: str = "pedida", best: str = "mejor", note: str = "Y esto.") -> q4.Answer:
    """La respuesta, con la familia de esas medidas."""
    family = q4.family(rows, WITHOUT, asked, best, FREE)
    return q4.answer(rows, family, WITHOUT, asked, best, KNOWN, note)


def loss(rows: pd.DataFrame, name: str) -> str:
    """La pérdida de validación media de una red, escrita."""
    return words.number(rows.loc[rows["model"] == name, "val_loss"].mean())


def test_the_family_corrects_its_own_p_values():
    """Cada pareja, una vez, con su diferencia y su intervalo; el desenlace sale del valor p corregido."""
    rows = table()
    found = q4.family(rows, WITHOUT, "pedida", "mejor", FREE)
    assert [tuple(pair) for pair in found[["model", "other"]].to_numpy()] == [
        ("pedida", "pedida, sin alfas"), ("pedida", "mejor"), ("mejor", "mejor, sin alfas"),
        ("mejor", FREE), ("mejor", SIMPLE), ("mejor", OLD), (OLD, SIMPLE), (OLD, TRY_02),
    ]  # fmt: skip
    for row in found.itertuples():
        paired = compare(rows, row.model, row.other, "val_loss")
        assert (row.difference, row.low, row.high, row.p) == paired[:4]
    assert found["holm"].tolist() == holm(found["p"])
    assert found["outcome"].tolist() == [
        "sin diferencia", "peor", "mejor", "sin diferencia", "mejor", "mejor", "mejor", "peor"
    ]  # fmt: skip
    narrow = found[(found["p"] < 0.05) & (found["holm"] >= 0.05)]
    assert (narrow["outcome"] == "sin diferencia").all()


@pytest.mark.parametrize(("name", "other", "how"), [("mejor", SIMPLE, "mejora a"), (SIMPLE, "mejor", "es peor que")])
def test_a_comparison_is_read_from_either_side(name, other, how):
    """Preguntada del revés, la misma comparación dice lo contrario, con las pérdidas en el orden de la pregunta."""
    rows = table()
    found = q4.family(rows, WITHOUT, "pedida", "mejor", FREE)
    briefly, told = q4.against(rows, found, name, other, "la otra")
    assert briefly == f"{how} la otra"
    assert told.outcome == ("mejor" if name == "mejor" else "peor")
    assert told.said == f"{how} la otra (pérdida de validación {loss(rows, name)} frente a {loss(rows, other)})"


def test_gains_say_how_sure_they_are(monkeypatch):
    """Lo que aportan las alfas se afirma, se da por probable o no se distingue, según su valor p."""
    rows = table()
    found = q4.family(rows, WITHOUT, "pedida", "mejor", FREE)
    monkeypatch.setattr(words, "SURE", 1)
    assert ", que sí se distingue de cero. Sin ellas da " in q4.gains(rows, found, "mejor", "mejor, sin alfas")
    monkeypatch.setattr(words, "SURE", 0)
    assert ", que parece distinguirse de cero." in q4.gains(rows, found, "mejor", "mejor, sin alfas")
    assert ", que no se distingue de cero." in q4.gains(rows, found, "pedida", "pedida, sin alfas")


def test_what_only_one_comparison_would_prove_is_a_tie():
    """Una diferencia significativa sola y no en su familia es un empate."""
    rows = table(**{"pedida, sin alfas": 0.35 + 0.0026})
    found = q4.family(rows, WITHOUT, "pedida", "mejor", FREE).iloc[0]
    assert found["p"] < 0.05 <= found["holm"]
    assert found["outcome"] == "sin diferencia"


@pytest.mark.parametrize(
    ("asked", "best"), [("mejor", "mejor"), ("mejor, sin alfas", "mejor"), ("pedida, sin alfas", "pedida, sin alfas")]
)
def test_no_pair_is_compared_twice(asked, best):
    """Si lo pedido es lo mejor, o no lleva alfas, ninguna pareja se repite, ni del revés ni consigo misma."""
    found = q4.family(table(), WITHOUT, asked, best, "mejor, sin alfas")
    pairs = [frozenset(pair) for pair in found[["model", "other"]].to_numpy()]
    assert len(set(pairs)) == len(pairs)
    assert min(map(len, pairs)) == 2


def test_the_answer_begins_with_what_is_asked():
    """Primero lo pedido, frente a no poner alfas y frente a la mejor; después la mejor, y de qué le viene."""
    rows = table()
    found = answer(rows)
    said = {name: loss(rows, name) for name in LOSSES}
    assert found.text == (
        f"**El ajuste pedido, pedida, no se distingue de no poner alfas (pérdida de validación {said['pedida']} "
        f"frente a {said['pedida, sin alfas']}).** Da {words.in_test(rows, 'pedida')}. Además, es peor que la mejor "
        f"red conocida (pérdida de validación {said['pedida']} frente a {said['mejor']}). Y esto.\n\n"
        f"**La mejor red conocida es mejor, y mejora a la red simple (pérdida de validación {said['mejor']} frente a "
        f"{said[SIMPLE]}).** Da {words.in_test(rows, 'mejor')}. El dropout y la normalización por lotes cambian la "
        "pérdida de validación de la red simple en −0,0500, y las alfas, en −0,0200, que parece distinguirse de cero. "
        f"Sin ellas da {words.in_test(rows, 'mejor, sin alfas')}: en prueba, esa diferencia de pérdida es de 0,0200."
    )
    assert found.verdict == "pedida no se distingue de no poner alfas; mejor mejora a la red simple"


def test_the_answer_when_the_best_is_asked():
    """Si se pide la mejor, se dice una sola vez; y lo que ponen las alfas puede no distinguirse de cero."""
    rows = table(mejor=0.3302)
    found = answer(rows, asked="mejor")
    assert found.text.startswith("**El ajuste pedido, mejor, es la mejor red conocida, y mejora a la red simple (")
    assert ", y las alfas, en 0,0002, que no se distingue de cero. Sin ellas da pérdida" in found.text
    assert found.verdict == "mejor mejora a la red simple"
    bare = answer(table(), asked="mejor, sin alfas", best="mejor, sin alfas")
    assert bare.text.endswith("de la red simple en −0,0500; alfas no lleva.")


def test_asking_for_no_alphas_is_compared_with_the_best():
    """Sin alfas que comparar con ninguna, lo pedido se compara con la mejor, aunque esta sea la suya con alfas."""
    for asked in ("pedida, sin alfas", "mejor, sin alfas"):
        found = answer(table(), asked=asked)
        seems = "parece" if asked == "mejor, sin alfas" else "es"
        assert found.text.startswith(f"**El ajuste pedido, {asked}, {seems} peor que la mejor red conocida (")
        assert "Además" not in found.text


def test_absurd_alphas_are_worse():
    """Unas alfas que estorban son peores que ninguna, y la mejor puede no mejorar a la red simple."""
    found = answer(table(pedida=2.3, **{SIMPLE: 0.3102}))
    assert found.verdict == "pedida es peor que no poner alfas; mejor no se distingue de la red simple"


def test_one_seed_distinguishes_nothing():
    """Con una sola semilla todo son empates, por grande que sea la diferencia."""
    rows = table(pedida=2.3)
    rows = rows[rows["seed"] == 3]
    assert answer(rows).verdict == "pedida no se distingue de no poner alfas; mejor no se distingue de la red simple"


def test_claims_are_those_of_2020():
    """La respuesta de 2020, frente a la red simple y frente a Try 02, en ese orden y cada una con su desenlace."""
    rows = table()
    simple, second = q4.claims(rows, q4.family(rows, WITHOUT, "pedida", "mejor", FREE))
    assert (simple.outcome, second.outcome) == ("parece confirmarse", "parece refutarse")
    assert simple.evidence == (
        "Hoy parece que mejora a la red simple de Q3 "
        f"(pérdida de validación {loss(rows, OLD)} frente a {loss(rows, SIMPLE)})."
    )
    assert second.statement == "Su respuesta baja el error frente a Try 02, el segundo modelo tal como estaba"


def test_names_tell_settings_apart():
    """Dos modelos que difieren, aunque sea en la última cifra, no comparten nombre; los iguales, sí."""
    values = [0.0, 1e-15, 0.1, 0.1004, 0.196, 0.2, 0.204, 2e-4, 0.12345, 0.123451, np.nextafter(0.1, 1)]
    for name in ("dropout", "alpha_l1", "alpha_l2"):
        labels = {q4.label(**dict.fromkeys(("dropout", "alpha_l1", "alpha_l2"), 0.0) | {name: v}) for v in values}
        assert len(labels) == len(values), name
    assert q4.label(0.1, 1e-4, 0.0) == "dropout 0,10, l1 = 10⁻⁴, l2 = 0"
    assert q4.label(0.204, 0.1004, 3e-15) == "dropout 0,204, l1 = 1,004·10⁻¹, l2 = 3·10⁻¹⁵"
    assert q4.label(0.1, 0.0, 0.0) == "dropout 0,10, sin alfas"


def make_grid() -> pd.DataFrame:
    """Una rejilla desordenada: la pérdida dice de qué punto y de qué semilla es."""
    kinds = {"l1": (1, 0), "l2": (0, 1), "dos": (1, 1)}
    points = {(rate, size * l1, size * l2): rate + 10 * size + i
              for rate in (0.2, 0.0) for size in (1e-2, 0.0, 1e-4) for i, (l1, l2) in enumerate(kinds.values())
              if size or not i}  # fmt: skip
    rows = [(*point, seed, value + 100 * seed) for point, value in points.items() for seed in (8, 7)]
    return pd.DataFrame(rows, columns=["dropout", "alpha_l1", "alpha_l2", "seed", "val_loss"])


def test_alphas_are_cut_from_the_grid_by_kind():
    """Cada clase de alfa con su cero y con la tasa pedida: por alfa y por semilla, la pérdida de su punto."""
    found = q4.by_alpha(make_grid(), 0.2)
    assert list(found) == ["l1 sola", "l2 sola", "las dos"]
    for i, losses in enumerate(found.values()):
        assert list(losses.index) == [0.0, 1e-4, 1e-2]
        assert losses[7].tolist() == pytest.approx([700.2, 700.201 + i, 700.3 + i])
        assert losses[8].tolist() == pytest.approx([800.2, 800.201 + i, 800.3 + i])


def test_a_sweep_is_read_from_zero_to_the_largest():
    """Se dicen la pérdida media con 0, la menor y la del mayor valor, en su orden y sin repetir."""
    inner = pd.DataFrame([[0.5, 0.7], [0.1, 0.2], [0.9, 0.9]], index=[1e-2, 1e-4, 0.0])
    last = pd.DataFrame([[0.3], [0.4]], index=[0.5, 0.0])
    assert q4.read_sweep({"l1 sola": inner, "ninguna": last}) == (
        "Pérdida de validación media: con l1 sola, 0,9000 en 0; 0,1500 en 10⁻⁴, la menor; 0,6000 en 10⁻². Y con "
        "ninguna, 0,4000 en 0; 0,3000 en 5·10⁻¹, la menor."
    )
    assert "0,1000 en 0, la menor; 0,2000" in q4.read_sweep({"x": pd.DataFrame([[0.1], [0.2]], index=[0.0, 1.0])})
    assert " en 0,50, la menor" in q4.read_sweep({"x": last}, lambda rate: words.number(rate, 2))


def test_the_activity_is_that_of_the_last_hidden_layer(small):
    """Las sumas de |a| y de a² son las que Keras multiplica por alfa: de la última capa oculta, media por imagen."""
    network = models.regularised((6, 5), alpha_l1=0.5, alpha_l2=0.0, **small.sizes)
    x = small.x_test[:50]
    found = q4.activity(network, x)
    network(x)
    assert sum(map(float, network.losses)) == pytest.approx(0.5 * found["l1"], rel=1e-5)
    only_l2 = models.regularised((6, 5), alpha_l2=0.25, **small.sizes)
    only_l2.set_weights(network.get_weights())
    only_l2(x)
    assert sum(map(float, only_l2.losses)) == pytest.approx(0.25 * found["l2"], rel=1e-5)
    assert predict(network, x).shape == (50, 10)  # la red sigue entera


def test_penalties_are_settled_by_arithmetic():
    """Lo que suma una alfa, en potencias de diez frente a la pérdida y a su último bit, y si en float32 la cambia."""
    alphas = {"de 2020": ("l1", 7e-14), "rozando": ("l2", 4e-12), "de hoy": ("l2", 1e-2)}
    found = q4.penalties({"l1": 20.0, "l2": 100.0}, 0.05, alphas, 128)
    # El último bit de 0,05 es 2**-28, 3,7e-9, y una suma de menos de su mitad se pierde.
    assert found.to_numpy().tolist() == [
        ["de 2020", "l1 = 7·10⁻¹⁴", "10⁻¹²", "10⁻¹¹", "10⁻³", "no", "no"],
        ["rozando", "l2 = 4·10⁻¹²", "10⁻⁹", "10⁻⁸", "10⁻¹", "no", "sí"],
        ["de hoy", "l2 = 10⁻²", "10⁰", "10¹", "10⁸", "sí", "sí"],
    ]
    assert q4.penalties({"l1": 0.0}, 0.05, {"muerta": ("l1", 1.0)}, 1).iloc[0, 2:].tolist() == ["0"] * 3 + ["no"] * 2
    titles = ["De", "Alfa", "Suma", "Veces la pérdida", "Veces su último bit", "¿La cambia?", "¿Y sin dividir?"]
    assert list(found) == titles


def test_a_penalty_is_added_to_a_loss_of_float32():
    """La alfa va con todas sus cifras; y lo que suma se suma, a la pérdida que cabe en float32 y no a otra."""
    bit = float(np.spacing(np.float32(0.0625)))  # por debajo de esta pérdida, el bit es la mitad: restar sí cambiaría
    name, alpha, *_, changes, undivided = q4.penalties({"l1": bit}, 0.0625, {"a": ("l1", 0.300000001)}, 2).iloc[0]
    assert (name, alpha, changes, undivided) == ("a", "l1 = 3,00000001·10⁻¹", "no", "sí")
    between = 0.0625 + 0.49 * bit  # a punto de redondearse hacia arriba: nada menor que medio bit debe empujarla
    assert q4.penalties({"l1": bit}, between, {"a": ("l1", 0.1)}, 1).iloc[0, 5] == "no"


def test_a_repeated_alpha_is_marked_once():
    """Cada alfa, con su clase y el último nombre que la lleva; las que valen 0 no se señalan."""
    asked, best = {"alpha_l1": 7e-14, "alpha_l2": 3e-15}, {"alpha_l1": 0.0, "alpha_l2": 7e-14}
    assert q4.marks({"pedida": asked, "mejor": best, "Try 02": asked}) == {
        "l1, Try 02": ("l1", 7e-14), "l2, Try 02": ("l2", 3e-15), "l2, mejor": ("l2", 7e-14)
    }  # fmt: skip


def test_lines_are_alpha_times_the_activity():
    """Cada recta y cada alfa señalada es alfa por la suma de su clase."""
    found = q4.lines({"l1": 20.0, "l2": 100.0}, {"de 2020": ("l1", 7e-14), "de hoy": ("l2", 1e-2)})
    assert list(found) == ["penalización l1", "penalización l2", "de 2020", "de hoy"]
    for (name, table), total in zip(found.items(), (20, 100, 20, 100), strict=True):
        np.testing.assert_allclose(table[""] / table.index, total, err_msg=name)
    assert list(found["de 2020"].index) == [7e-14]
    assert list(found["penalización l1"].index) == [1e-15, 1.0]


def test_the_best_comes_from_what_is_stored():
    """Cuenta cada ajuste de la rejilla una vez, con todas sus semillas, y cada ensayo; sin nada, calla."""
    point = {"dropout": 0.1, "alpha_l1": 0.0, "alpha_l2": 0.0}
    grid = pd.DataFrame([point | change | {"seed": s} for change in ({}, {"alpha_l2": 0.1}) for s in (1, 2, 3)])
    said = q4.origin(grid, pd.DataFrame({"number": range(5)}))
    assert said == "Se eligió con otras semillas, entre los 2 ajustes de una rejilla y los 5 de una búsqueda."
    assert q4.origin(grid.head(0), grid.head(0)) == ""


def test_the_place_counts_who_does_better():
    """El puesto es uno más que los ajustes guardados con menos pérdida."""
    points = pd.DataFrame({"val_loss": [0.3, 0.1, 0.2]})
    places = [q4.place(points, loss).split()[-1] for loss in (0.05, 0.2, 0.25, 0.9)]
    assert places == ["1.", "2.", "3.", "4."]
    assert q4.place(points, 0.2).startswith("Entre los 3 ajustes guardados")


def make_searched() -> pd.DataFrame:
    """Tres ajustes con la semilla que busca y dos nuevas; el cuarto no tiene todas."""
    rows = []
    for i, losses in enumerate([(0.30, 0.50, 0.40), (0.20, 0.34, 0.30), (0.25, 0.22, 0.28), (0.1, None, 0.1)]):
        point = {"dropout": i / 10, "log10_alpha_l1": -1.0 - i, "log10_alpha_l2": -2.0}
        rows += [point | {"seed": s, "val_loss": x} for s, x in zip((1000, 2000, 2001), losses, strict=True)]
    return pd.DataFrame(rows)


def test_the_search_is_compared_with_fresh_seeds():
    """De cada ajuste completo, lo que dio al buscar y la media de las semillas nuevas."""
    found = q4.deceived(make_searched(), 1000)
    assert sorted(found.to_numpy().round(6).tolist()) == [[0.2, 0.32], [0.25, 0.25], [0.3, 0.45]]
    assert list(found) == ["search", "fresh"]


def test_the_optimism_is_that_of_the_chosen_one():
    """El optimismo es del elegido al buscar, con su puesto en lo nuevo; y el esfuerzo se cuenta con él y sin él."""
    found = q4.deceived(make_searched(), 1000)
    optimism, effort = q4.read_search(found, [0.5, 0.3, 0.2, 0.1], 0.25)
    assert optimism == (
        "El elegido daba 0,2000 al buscar y da 0,3200 con semillas nuevas: su optimismo es 0,1200, y el promedio de "
        "los 3, 0,0900. Con las nuevas sería el 2.º."
    )
    assert effort == (
        "La pérdida de la mejor tasa sin alfas es 0,2500. Ajustes al azar con que se espera bajar de ella: creyendo a "
        "la búsqueda, desde 3; sumándole el optimismo de su elegido, desde 4."
    )
    assert q4.read_search(found, [0.5, 0.3, 0.2], 0.25)[1].endswith("de su elegido, ni con 3.")

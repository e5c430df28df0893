"""Q3 dice quién llega a los umbrales de entrenamiento, con cuántas semillas y qué red es la menor, y nada más."""

import pandas as pd
import pytest
from samples import SEEDS, make_run, measured, reached

from tarea4.report import q3, words
from tarea4.training import SENSES, Run

NEVER = [None] * 5
ARRIVALS = {
    "40-50-15": {"": [3, 4, 3, 5, 4], "train_": [2, 2, 3, 2, 2], "val_": [None, 9, None, 8, None]},
    "20": {"": [7, 8, 7, 8, 7], "train_": [6, 6, 6, 6, 6], "val_": NEVER},
    "30": {"": [5, 5, 5, 5, 5], "train_": [4, 4, 4, 4, 4], "val_": NEVER},
    "12": {"": [9, 9, 9, 9, 9], "train_": [9, 9, None, 9, 9], "val_": NEVER},
    "10": {"": NEVER, "train_": [9] * 5, "val_": [9] * 5},
    "8-8": {"": [4, None, 5, 6, None], "train_": [4, None, 5, 6, None], "val_": [1] * 5},
    "5": dict.fromkeys(("", "train_", "val_"), NEVER),
}
SIZES = {"40-50-15": 34_375, "20": 15_910, "30": 23_860, "12": 9_550, "10": 7_960, "8-8": 6_442, "5": 3_985}
REACHED = reached(ARRIVALS)
MEASURED = measured({
    name: {"val_loss": 0.1 + i / 100, "test_loss": 0.3 + i / 100, "test_accuracy": 0.9 - i / 100}
    for i, name in enumerate(ARRIVALS)
})  # fmt: skip


def answer(name="40-50-15", names=tuple(ARRIVALS), seeds=SEEDS, thresholds=(0.08, 0.98)):
    """La respuesta con esas redes y semillas."""
    rows, table = (t[t["model"].isin(names) & t["seed"].isin(seeds)] for t in (REACHED, MEASURED))
    return q3.answer(rows, table, name, {each: SIZES[each] for each in names}, thresholds)


def test_the_answer_reports_layers_sizes_and_the_smallest():
    """Capas y tamaños, épocas en los dos sentidos, la menor que llega siempre, y que entrenar no es generalizar."""
    found = answer()
    loss = words.number(MEASURED.loc[MEASURED["model"] == "40-50-15", "val_loss"].mean())
    assert found.verdict == (
        "40-50-15 llega a los umbrales de entrenamiento con todas las semillas (pérdida de hasta 0,08 y exactitud de "
        "98\xa0% o más)"
    )
    assert found.text == (
        "**La red 40-50-15 (3 capas ocultas, 34\xa0375 parámetros) llega a los umbrales de entrenamiento con todas las "
        "semillas**: según la evaluada, llega con 5 de 5 semillas, entre las épocas 2 y 3; según la corriente, llega "
        "con 5 de 5 semillas, entre las épocas 3 y 5. De las 7 redes entrenadas aquí, la menor que llega siempre es 20 "
        "(1 capa oculta, 15\xa0910 parámetros). Son umbrales de entrenamiento, y no dicen cómo generaliza: en la época "
        f"que la validación elige da {words.in_test(MEASURED, '40-50-15')}, y pérdida {loss} en validación."
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("12", "llega a los umbrales de entrenamiento con todas las semillas, pero solo según la pérdida corriente"),
        ("10", "llega a los umbrales de entrenamiento con todas las semillas, pero solo según la pérdida evaluada"),
        ("8-8", "no llega a los umbrales de entrenamiento con todas las semillas"),
        ("5", "no llega a los umbrales de entrenamiento con ninguna semilla"),
    ],
)
def test_bold_and_verdict_agree(name, said):
    """Llegue en un sentido o con algunas semillas, negrita y veredicto dicen lo mismo; la validación no cuenta."""
    found = answer(name)
    assert found.verdict.startswith(f"{name} {said} (")
    assert f" parámetros) {said}**: " in found.text


def test_one_seed_and_one_network_are_said_in_the_singular():
    """Con una semilla y sin candidatas no hay «ninguna de 1» ni «la menor de las 1»."""
    found = answer("20", names=("20",), seeds=(3,))
    assert "llega a los umbrales de entrenamiento con su única semilla**" in found.text
    assert "según la evaluada, llega con su única semilla, en la época 6" in found.text
    assert "redes entrenadas aquí" not in found.text
    assert "con todas las semillas**" in answer("20", names=("20",), seeds=(3, 4)).text
    assert "no llega con su única semilla" in answer("5", names=("5",), seeds=(3,)).text
    assert answer("5", names=("5", "8-8")).text.count("De las 2 redes entrenadas aquí, ninguna llega siempre.") == 1


def test_the_thresholds_are_the_reader_s():
    """Los umbrales que se dicen son los que se dan, sin redondear."""
    assert answer(thresholds=(0.005, 0.9875)).verdict.endswith(
        "(pérdida de hasta 0,005 y exactitud de 98,75\xa0% o más)"
    )


def test_the_smallest_by_depth_always_arrives():
    """Con cada número de capas, la de menos parámetros entre las que llegan siempre en los dos sentidos."""
    assert q3.smallest(REACHED, SIZES) == {"1 capa oculta": "20", "3 capas ocultas": "40-50-15"}
    assert q3.smallest(REACHED.iloc[:0], {}) == {}
    always = {name: {sense: [1] * 5 for sense in SENSES} for name in ("100", "20", "9-9")}  # por su nombre, al revés
    sizes = {"100": 79_510, "20": 15_910, "9-9": 7_255}
    assert q3.smallest(reached(always), sizes) == {"1 capa oculta": "20", "2 capas ocultas": "9-9"}
    rows = pd.concat([MEASURED[MEASURED["model"] == "20"].assign(model=name) for name in always])
    assert "la menor que llega siempre es 9-9 (" in q3.answer(reached(always), rows, "100", sizes, (0.08, 0.98)).text


def test_claims_are_those_of_2020():
    """Los dos sentidos del entrenamiento, cada uno con su desenlace; de la validación no se afirmó nada."""
    assert [claim.outcome for claim in q3.claims(REACHED, "10")] == ["se confirma", "se refuta"]
    assert [claim.outcome for claim in q3.claims(REACHED, "12")] == ["depende de la semilla", "se confirma"]
    evaluated, running = q3.claims(REACHED, "40-50-15")
    assert evaluated[:2] == (
        "Llega a los umbrales (entrenamiento, evaluada)",
        "La red 40-50-15 llega con 5 de 5 semillas, entre las épocas 2 y 3.",
    )
    assert running.statement == "Llega a los umbrales (entrenamiento, corriente)"


def test_losses_go_by_depth_and_parameters():
    """Por número de capas iguales, la menor pérdida evaluada de cada semilla; una red desigual va con su nombre."""
    runs = {name: [make_run(i), make_run(i + 10)] for i, name in enumerate(("20", "40-50-15", "10", "8-8"))}
    found = q3.least_losses(runs, SIZES)
    assert list(found) == ["1 capa oculta", "2 capas ocultas", "40-50-15"]
    assert list(found["1 capa oculta"].index) == [7_960, 15_910]
    for table, size, name in (("1 capa oculta", 15_910, "20"), ("40-50-15", 34_375, "40-50-15")):
        expected = {run.seed: min(run.history["train_loss"]) for run in runs[name]}
        assert found[table].loc[size].dropna().to_dict() == expected


def test_curves_are_read_from_the_chosen_epoch_to_the_last():
    """De la época elegida, que es de cada semilla, a la última: cada pérdida con sus dos medias, en ese orden."""
    runs = [
        Run(None, 0, {"train_loss": [0.5, 0.3, 0.1], "val_loss": [0.4, 0.2, 0.8]}, 1.0),
        Run(None, 1, {"train_loss": [0.7, 0.5, 0.2], "val_loss": [0.3, 0.5, 0.6]}, 1.0),
    ]
    assert q3.read_curves(runs) == (
        "De la época elegida a la última, la pérdida evaluada va de 0,5000 a 0,1500; la de validación, de 0,2500 a "
        "0,7000."
    )


def test_the_smallest_is_told_by_depth():
    """De cada número de capas, la menor en parámetros que llega siempre, y entre qué anchuras se buscó."""
    arrivals = {"40": [3, 4], "24": [5, 6], "20": [7, None], "20-20": [None, 9]}
    rows = [
        {"model": name, "seed": seed, "sense": sense, "epoch": epoch}
        for name, epochs in arrivals.items() for seed, epoch in enumerate(epochs) for sense in q3.TRAINING
    ]  # fmt: skip
    sizes = {"40": 400, "24": 240, "20": 200, "20-20": 250}
    assert q3.read_smallest(pd.DataFrame(rows), sizes) == (
        "Con anchuras de 20, 24, 40, la menor red que llega siempre, según las dos pérdidas, es: con 1 capa oculta, "
        "24; con 2 capas ocultas, ninguna."
    )


def test_depth_is_compared_at_the_same_width():
    """Cada capa de más se compara con la misma anchura, y solo entre redes de capas iguales que estén las dos."""
    least = {"10": 0.5, "10-10": 0.3, "10-10-10": 0.4, "20": 0.2, "20-20": 0.25, "40": 0.1, "40-50": 0.01}
    runs = {name: [Run(None, 0, {"train_loss": [0.9, loss, 0.8]}, 1.0)] for name, loss in least.items()}
    assert q3.read_depth(runs) == (
        "Añadir una capa igual de ancha baja la menor pérdida de entrenamiento: la capa 2, con 1 de 2 "
        "anchuras; la capa 3, con 0 de 1 anchura."
    )
    tie = {"5": runs["40"], "5-5": runs["40"]}
    assert q3.read_depth(tie).endswith("la capa 2, con 0 de 1 anchura.")
    assert q3.read_depth({"40": runs["40"]}).endswith("la menor pérdida de entrenamiento: no hay con qué comparar.")

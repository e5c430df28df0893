"""Q3: qué redes simples llegan a los umbrales, y en qué época. Sus parámetros, su respuesta y lo afirmado en 2020."""

import pandas as pd

from tarea4.report.claims import Answer, Claim
from tarea4.report.parameters import Networks, Sizes, Thresholds, meaning
from tarea4.report.words import epochs_reaching, number
from tarea4.training import SENSES


class Parameters(Thresholds):
    """Los parámetros de Q3."""

    hidden_sizes: Sizes = meaning("unidades de cada capa oculta de la red de 2020")
    candidates: Networks = meaning("redes menores que se prueban")


def smallest_reaching(reached: pd.DataFrame, parameters: dict[str, int]) -> str | None:
    """La red con menos parámetros que llega con todas sus semillas, en los dos sentidos de la pérdida de entrenar."""
    always = reached[reached["sense"] != "val_"].groupby("model")["epoch"].agg(lambda epochs: epochs.notna().all())
    return min(always[always].index, key=parameters.get, default=None)


def answer(reached: pd.DataFrame, name: str, parameters: dict[str, int]) -> Answer:
    """Si la red `name` alcanza los umbrales, en qué época, y cuál es la menor de las probadas que los alcanza."""
    epochs = {sense: _epochs(reached, name, sense) for sense in ("", "train_")}
    sentences = [
        f"**La red {name} ({number(parameters[name], 0)} parámetros) {epochs_reaching(epochs[''])}**, según la pérdida "
        f"corriente; según la evaluada, {epochs_reaching(epochs['train_'])}."
    ]
    smallest = smallest_reaching(reached, parameters)
    if smallest is None:
        sentences.append("Ninguna de las redes probadas llega con todas las semillas.")
    else:
        size = f"{number(parameters[smallest], 0)} parámetros"
        sentences.append(f"La menor de las {len(parameters)} probadas que llega con todas es {smallest} ({size}).")
    always = all(found.notna().all() for found in epochs.values())
    return Answer(f"{name} {'llega' if always else 'no llega'} con todas las semillas", " ".join(sentences))


def claims(reached: pd.DataFrame, name: str) -> list[Claim]:
    """Si la red que se dio por buena en 2020 llega a los umbrales con todas las semillas, en cada sentido."""
    claims = []
    for sense, label in SENSES.items():
        epochs = _epochs(reached, name, sense)
        share = epochs.notna().mean()
        result = "se confirma" if share == 1 else "se refuta" if share == 0 else "depende de la semilla"
        claims.append(Claim(f"Llega a los umbrales ({label})", f"La red {name} {epochs_reaching(epochs)}.", result))
    return claims


def _epochs(reached: pd.DataFrame, name: str, sense: str) -> pd.Series:
    return reached.loc[(reached["model"] == name) & (reached["sense"] == sense), "epoch"]

"""Q3: qué redes simples llegan a los umbrales, y en qué época. Sus parámetros, su respuesta y lo afirmado en 2020."""

import pandas as pd

from tarea4.report.claims import Answer, Claim
from tarea4.report.parameters import Networks, Sizes, Thresholds, meaning
from tarea4.report.words import epochs_reaching, number
from tarea4.training import SENSES


class Parameters(Thresholds):
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta de la red de 2020")
    candidates: Networks = meaning("redes menores que se prueban")


def answer(reached: pd.DataFrame, name: str, parameters: dict[str, int]) -> Answer:
    """Si la red `name` alcanza los umbrales, en qué época, y cuál es la menor de las probadas que los alcanza."""
    arrives = reached[reached["model"] == name].groupby("sense")["epoch"].agg(epochs_reaching)
    always = reached[reached["sense"] != "val_"].groupby("model")["epoch"].agg(lambda epochs: epochs.notna().all())
    sizes = {model: f"{number(n, 0)} parámetros" for model, n in parameters.items()}
    least = "Ninguna de las redes probadas llega con todas las semillas."
    if always.any():
        smallest = min(always[always].index, key=parameters.get)
        least = f"La menor de las {len(sizes)} probadas que llega con todas es {smallest} ({sizes[smallest]})."
    text = (
        f"**La red {name} ({sizes[name]}) {arrives['']}**, según la pérdida corriente; según la evaluada, "
        f"{arrives['train_']}. {least}"
    )
    return Answer(f"{name} {'llega' if always[name] else 'no llega'} con todas las semillas", text)


def claims(reached: pd.DataFrame, name: str) -> list[Claim]:
    """Si la red que se dio por buena en 2020 llega a los umbrales con todas las semillas, en cada sentido."""
    claims, by_sense = [], reached[reached["model"] == name].groupby("sense")["epoch"]
    for sense, label in SENSES.items():
        epochs = by_sense.get_group(sense)
        result = {1: "se confirma", 0: "se refuta"}.get(epochs.notna().mean(), "depende de la semilla")
        claims.append(Claim(f"Llega a los umbrales ({label})", f"La red {name} {epochs_reaching(epochs)}.", result))
    return claims

"""Q3: qué redes simples llegan a los umbrales, y en qué época. Sus parámetros, su respuesta y lo afirmado en 2020."""

import numpy as np
import pandas as pd

from tarea4.report.claims import Answer, Claim, by_epoch
from tarea4.report.drawing import comma
from tarea4.report.parameters import Networks, Sizes, Thresholds, meaning
from tarea4.report.words import epochs_reaching, in_test, number, plural
from tarea4.training import SENSES, Run

TRAINING = {"train_": "evaluada", "": "corriente"}  # los dos sentidos de la pérdida de entrenamiento


class Parameters(Thresholds):
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta de la red que se pone a prueba")
    candidates: Networks = meaning("otras redes que se entrenan con las mismas semillas")


def depth(name: str) -> str:
    """El número de capas de una red por su nombre: «40-50-15» tiene «3 capas ocultas»."""
    return plural(name.count("-") + 1, "capa oculta", "capas ocultas")


def smallest(reached: pd.DataFrame, sizes: dict[str, int]) -> dict[str, str]:
    """Por número de capas, la red con menos parámetros (`sizes`) que llega siempre en los dos sentidos de entrenar."""
    arrives = reached[reached["sense"].isin(list(TRAINING))].groupby("model")["epoch"].agg(lambda e: e.notna().all())
    found = {depth(name): name for name in sorted(arrives[arrives].index, key=sizes.get, reverse=True)}
    return dict(sorted(found.items()))


def answer(
    reached: pd.DataFrame, measured: pd.DataFrame, name: str, sizes: dict[str, int], thresholds: tuple[float, float]
) -> Answer:
    """Si la red `name` llega a los umbrales de entrenamiento, la menor de las entrenadas que llega y qué generaliza."""
    by_sense = reached[reached["model"] == name].groupby("sense")["epoch"]
    shares = {label: by_sense.get_group(sense).notna().mean() for sense, label in TRAINING.items()}
    seeds = "con todas las semillas" if reached["seed"].nunique() > 1 else "con su única semilla"
    most, least = max(shares.values()), min(shares.values())
    does = "llega" if most == 1 else "no llega"
    does += f" a los umbrales de entrenamiento {seeds if most else 'con ninguna semilla'}"
    does += f", pero solo según la pérdida {max(shares, key=shares.get)}" if most == 1 > least else ""
    told = {each: f"{each} ({depth(each)}, {number(n, 0)} parámetros)" for each, n in sizes.items()}
    arrives = "; ".join(f"según la {label}, {epochs_reaching(by_sense.get_group(s))}" for s, label in TRAINING.items())
    text = f"**La red {told[name]} {does}**: {arrives}."
    if len(sizes) > 1:
        found = min(smallest(reached, sizes).values(), key=sizes.get, default="")
        found = found and f"la menor que llega siempre es {told[found]}"
        text += f" De las {len(sizes)} redes entrenadas aquí, {found or 'ninguna llega siempre'}."
    loss = number(measured.loc[measured["model"] == name, "val_loss"].mean())
    text += (
        " Son umbrales de entrenamiento, y no dicen cómo generaliza: en la época que la validación elige da "
        f"{in_test(measured, name)}, y pérdida {loss} en validación."
    )
    limits = f"pérdida de hasta {comma(thresholds[0])} y exactitud de {comma(100 * thresholds[1])}\xa0% o más"
    return Answer(f"{name} {does} ({limits})", text)


def least_losses(runs: dict[str, list[Run]], sizes: dict[str, int]) -> dict[str, pd.DataFrame]:
    """La menor pérdida evaluada de cada semilla (columnas) según los parámetros (filas), por número de capas iguales.

    Una red de capas desiguales va aparte, con su nombre.
    """
    groups = {}
    for name in sorted(runs, key=lambda name: (name.count("-"), sizes[name])):
        group = depth(name) if len(set(name.split("-"))) == 1 else name
        groups.setdefault(group, {})[sizes[name]] = by_epoch(runs[name], "train_loss").min()
    return {group: pd.DataFrame(losses).T for group, losses in groups.items()}


def read_smallest(reached: pd.DataFrame, sizes: dict[str, int]) -> str:
    """La menor red que llega siempre, por número de capas, y entre qué anchuras se buscó."""
    least, names = smallest(reached, sizes), sorted(reached["model"].unique(), key=len)
    widths = ", ".join(map(str, sorted({int(name.split("-")[0]) for name in names})))
    told = "; ".join(f"con {each}, {least.get(each, 'ninguna')}" for each in dict.fromkeys(map(depth, names)))
    return f"Con anchuras de {widths}, la menor red que llega siempre, según las dos pérdidas, es: {told}."


def read_curves(runs: list[Run]) -> str:
    """Las curvas de una red, leídas: qué hace cada pérdida de la época elegida a la última, media de las semillas."""
    ends = [[(run.best(key), run.history[key][-1]) for run in runs] for key in ("train_loss", "val_loss")]
    train, val = (" a ".join(map(number, np.mean(pairs, axis=0))) for pairs in ends)
    return f"De la época elegida a la última, la pérdida evaluada va de {train}; la de validación, de {val}."


def read_depth(runs: dict[str, list[Run]]) -> str:
    """Si una capa más, igual de ancha, baja la menor pérdida evaluada: en cuántas de las anchuras comparables."""
    losses = {tuple(name.split("-")): by_epoch(runs[name], "train_loss").min().mean() for name in runs}
    pairs = {}
    for sizes, loss in losses.items():
        if len(set(sizes)) == 1 and (deeper := (*sizes, sizes[0])) in losses:
            pairs.setdefault(len(sizes), []).append(losses[deeper] < loss)
    told = "; ".join(f"la capa {n + 1}, con {sum(p)} de {plural(len(p), 'anchura')}" for n, p in sorted(pairs.items()))
    told = told or "no hay con qué comparar"
    return f"Añadir una capa igual de ancha baja la menor pérdida de entrenamiento: {told}."


def claims(reached: pd.DataFrame, name: str) -> list[Claim]:
    """Si la red que se dio por buena en 2020 llega a los umbrales de entrenamiento, en cada sentido."""
    claims, by_sense = [], reached[reached["model"] == name].groupby("sense")["epoch"]
    for sense in TRAINING:
        epochs, statement = by_sense.get_group(sense), f"Llega a los umbrales ({SENSES[sense]})"
        result = {1: "se confirma", 0: "se refuta"}.get(epochs.notna().mean(), "depende de la semilla")
        claims.append(Claim(statement, f"La red {name} {epochs_reaching(epochs)}.", result))
    return claims

"""Q4: el mejor modelo regularizado con las capas de Q3. Sus parámetros, su respuesta, sus figuras leídas y 2020."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd

from tarea4.evaluation import predict
from tarea4.report.claims import Answer, Claim, Judged, compared
from tarea4.report.parameters import Regularised, Sizes, Studied, meaning
from tarea4.report.words import in_test, number, outcome, phrased, scientific, settled
from tarea4.statistics import compare

NOTHING = "Con estos datos no hay nada guardado: solo se enseña lo que se entrena aquí."
SIMPLE, TRY_02, OLD = "simple (Q3)", "Try 02", "respuesta de 2020"
AGAINST = ("mejora a", "parece que mejora a"), ("es peor que", "parece peor que"), "no se distingue de"


class Parameters(Regularised, Studied):
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta")


def label(dropout: float, alpha_l1: float, alpha_l2: float) -> str:
    """Nombre de un modelo regularizado, distinto si algo difiere: «dropout 0,10, l1 = 10⁻⁴, l2 = 0»."""
    exact = np.format_float_positional(dropout).replace(".", ",")
    l1, l2 = (scientific(alpha, exact=True) for alpha in (alpha_l1, alpha_l2))
    alphas = f"l1 = {l1}, l2 = {l2}" if alpha_l1 or alpha_l2 else "sin alfas"
    return f"dropout {number(dropout, 2) if round(dropout, 2) == dropout else exact}, {alphas}"


def by_alpha(grid: pd.DataFrame, rate: float) -> dict[str, pd.DataFrame]:
    """De la rejilla, con una tasa de dropout, la pérdida por alfa (filas) y semilla (columnas): l1, l2 y las dos."""
    sizes, tables = grid[["alpha_l1", "alpha_l2"]].max(axis=1), {}
    for name, (l1, l2) in {"l1 sola": (1, 0), "l2 sola": (0, 1), "las dos": (1, 1)}.items():
        kept = (grid["dropout"] == rate) & (grid["alpha_l1"] == l1 * sizes) & (grid["alpha_l2"] == l2 * sizes)
        tables[name] = grid[kept].assign(alpha=sizes).pivot(index="alpha", columns="seed", values="val_loss")
    return tables


def read_sweep(tables: dict[str, pd.DataFrame], show: Callable[[float], str] = scientific) -> str:
    """Una figura de `tarea4.report.plots.sweep`, leída: la pérdida media con 0, la menor y la del mayor valor."""
    told = []
    for name, means in {name: table.mean(axis=1).sort_index() for name, table in tables.items()}.items():
        values = dict.fromkeys([0.0, means.idxmin(), means.index[-1]], "") | {means.idxmin(): ", la menor"}
        told.append(f"con {name}, {'; '.join(f'{number(means[x])} en {show(x)}{said}' for x, said in values.items())}")
    return f"Pérdida de validación media: {'. Y '.join(told)}."


def activity(model: keras.Sequential, x: np.ndarray) -> dict[str, float]:
    """Lo que multiplica cada alfa: la suma de |a| (l1) y la de a² (l2) en la última capa oculta, media por imagen."""
    a = predict(keras.Sequential(model.layers[:-1]), x).astype(float)
    return {"l1": float(np.abs(a).sum(axis=1).mean()), "l2": float(np.square(a).sum(axis=1).mean())}


def marks(settings: dict[str, dict[str, float]]) -> dict[str, tuple[str, float]]:
    """Por nombre, la clase y el valor de cada alfa que no es 0; la que se repite lleva su último nombre."""
    found = {
        (kind, each[f"alpha_{kind}"]): f"{kind}, {name}" for name, each in settings.items() for kind in ("l1", "l2")
    }
    return {name: mark for mark, name in found.items() if mark[1]}


def lines(sums: dict[str, float], alphas: dict[str, tuple[str, float]]) -> dict[str, pd.DataFrame]:
    """Para `tarea4.report.plots.sweep`: lo que suma una alfa de cada clase, de 1e-15 a 1, y las de `alphas`."""
    curves = {f"penalización {kind}": (kind, [1e-15, 1.0]) for kind in sums}
    curves |= {name: (kind, [alpha]) for name, (kind, alpha) in alphas.items()}
    return {name: pd.DataFrame({"": np.multiply(sums[kind], x)}, index=x) for name, (kind, x) in curves.items()}


def penalties(sums: dict[str, float], loss: float, alphas: dict[str, tuple[str, float]], batch: int) -> pd.DataFrame:
    """Lo que suma cada alfa (`alphas`: su clase y su valor), en potencias de diez, y si en float32 cambia la pérdida.

    `sums` es de `activity`; `batch` multiplica la penalización en la última columna, como hacía quien no dividía.
    """
    loss = float(np.float32(loss))
    rows, bit = [], float(np.spacing(np.float32(loss)))
    for name, (kind, alpha) in alphas.items():
        term = alpha * sums[kind]
        orders = [scientific(10.0 ** round(np.log10(x))) if x else "0" for x in (term, term / loss, term / bit)]
        changes = ["sí" if np.float32(loss + x) != np.float32(loss) else "no" for x in (term, batch * term)]
        rows.append((name, f"{kind} = {scientific(alpha, exact=True)}", *orders, *changes))
    columns = ["De", "Alfa", "Suma", "Veces la pérdida", "Veces su último bit", "¿La cambia?", "¿Y sin dividir?"]
    return pd.DataFrame(rows, columns=columns)


def family(measured: pd.DataFrame, without: dict[str, str], asked: str, best: str, free: str) -> pd.DataFrame:
    """Las comparaciones de Q4 en pérdida de validación, cada una de una vez, con su valor p corregido por Holm.

    `without` da, de cada red, la misma sin alfas; `free` es la mejor sin ellas. `outcome` sale del valor p corregido.
    """
    pairs, mine = {}, [(asked, without[asked]), (asked, best), (best, without[best]), (best, free), (best, SIMPLE)]
    for pair in [*mine, (best, OLD), (OLD, SIMPLE), (OLD, TRY_02)]:
        if pair[0] != pair[1]:
            pairs.setdefault(frozenset(pair), pair)
    return compared(measured, pairs.values())


def against(measured: pd.DataFrame, found: pd.DataFrame, name: str, other: str, called: str) -> tuple[str, Judged]:
    """Cómo queda una red frente a otra en `family`: dicho sin cifras, y juzgado."""
    row = found[found["model"].isin([name, other]) & found["other"].isin([name, other])].iloc[0]
    turned = {} if row["model"] == name else {"mejor": "peor", "peor": "mejor"}
    outcome, loss = turned.get(row["outcome"], row["outcome"]), measured.groupby("model")["val_loss"].mean().map(number)
    said = f"{phrased(outcome, row['holm'], *AGAINST)} {called}"
    told = f"{said} (pérdida de validación {loss[name]} frente a {loss[other]})"
    return said, Judged(told, outcome, row["holm"])


def gains(measured: pd.DataFrame, found: pd.DataFrame, best: str, base: str) -> str:
    """Cuánto de lo que va de la red simple a la mejor es del dropout y la normalización, y cuánto de las alfas."""
    loss = measured.groupby("model")["val_loss"].mean()
    first, second = (number(loss[base] - loss[SIMPLE]), number(loss[best] - loss[base]))
    told = f"El dropout y la normalización por lotes cambian la pérdida de validación de la red simple en {first}"
    if best == base:
        return f"{told}; alfas no lleva."
    _, alphas = against(measured, found, best, base, "")
    moved = settled(alphas.p_value, "sí se distingue", "parece distinguirse")
    moved = "no se distingue" if alphas.outcome == "sin diferencia" else moved
    told += f", y las alfas, en {second}, que {moved} de cero."
    without = compare(measured, best, base, "test_loss")
    seen = "no se ve" if outcome(without) == "sin diferencia" else f"es de {number(without.mean_difference)}"
    return f"{told} Sin ellas da {in_test(measured, base)}: en prueba, esa diferencia de pérdida {seen}."


def place(points: pd.DataFrame, loss: float) -> str:
    """Qué puesto ocuparía una pérdida de validación entre las de los ajustes guardados."""
    rank = 1 + int((points["val_loss"] < loss).sum())
    return f"Entre los {len(points)} ajustes guardados, medidos con otras semillas, ocuparía el puesto {rank}."


def answer(
    measured: pd.DataFrame, found: pd.DataFrame, without: dict[str, str], asked: str, best: str, known: str, note: str
) -> Answer:
    """Lo que da lo que se pide, con una nota, y después la mejor red, a la que `known` llama: «la mejor conocida»."""
    briefly, against_simple = against(measured, found, best, SIMPLE, "la red simple")
    rest = f"Da {in_test(measured, best)}. {gains(measured, found, best, without[best])}"
    if asked == best:
        text = f"**El ajuste pedido, {asked}, es {known}, y {against_simple.said}.** {rest}"
        return Answer(f"{best} {briefly}", text)
    base, called = (without[asked], "no poner alfas") if without[asked] not in (asked, best) else (best, known)
    also = "" if base == best else f" Además, {against(measured, found, asked, best, known)[1].said}."
    asked_briefly, against_base = against(measured, found, asked, base, called)
    first = f"**El ajuste pedido, {asked}, {against_base.said}.** Da {in_test(measured, asked)}.{also} {note}"
    second = f"**{known.capitalize()} es {best}, y {against_simple.said}.** {rest}"
    return Answer(f"{asked} {asked_briefly}; {best} {briefly}", f"{first}\n\n{second}")


def origin(grid: pd.DataFrame, trials: pd.DataFrame) -> str:
    """Entre cuántos ajustes guardados se eligió la mejor red; nada, si con estos datos no hay ninguno."""
    n = len(grid.drop_duplicates(["dropout", "alpha_l1", "alpha_l2"]))
    told = f"Se eligió con otras semillas, entre los {n} ajustes de una rejilla y los {len(trials)} de una búsqueda."
    return told if n else ""


def deceived(trials: pd.DataFrame, searching: int) -> pd.DataFrame:
    """De cada ajuste al azar, la pérdida con la semilla que busca (`search`) y la media de las demás (`fresh`)."""
    setting = ["dropout", "log10_alpha_l1", "log10_alpha_l2"]
    by_seed = trials.pivot(index=setting, columns="seed", values="val_loss").dropna().reset_index(drop=True)
    return pd.DataFrame({"search": by_seed[searching], "fresh": by_seed.drop(columns=searching).mean(axis=1)})


def read_search(found: pd.DataFrame, curve: Sequence[float], base: float) -> tuple[str, str]:
    """Dos frases: el optimismo del elegido de `deceived`, y cuántos ajustes al azar hacen bajar de `base`."""
    best = found.loc[found["search"].idxmin()]
    optimism, everyone = best["fresh"] - best["search"], (found["fresh"] - found["search"]).mean()
    first = [next((f"desde {n}" for n, x in enumerate(curve, 1) if x + extra < base), f"ni con {len(curve)}")
             for extra in (0, optimism)]  # fmt: skip
    return (
        f"El elegido daba {number(best['search'])} al buscar y da {number(best['fresh'])} con semillas nuevas: su "
        f"optimismo es {number(optimism)}, y el promedio de los {len(found)}, {number(everyone)}. Con las nuevas sería "
        f"el {1 + int((found['fresh'] < best['fresh']).sum())}.º.",
        f"La pérdida de la mejor tasa sin alfas es {number(base)}. Ajustes al azar con que se espera bajar de ella: "
        f"creyendo a la búsqueda, {first[0]}; sumándole el optimismo de su elegido, {first[1]}.",
    )


def claims(measured: pd.DataFrame, found: pd.DataFrame) -> list[Claim]:
    """Si la respuesta de 2020 baja el error de validación, que es lo que entonces se afirmó."""
    claims = []
    for other, called in ((SIMPLE, "la red simple de Q3"), (TRY_02, "Try 02, el segundo modelo tal como estaba")):
        judged = against(measured, found, OLD, other, called)[1]
        claims.append(Claim(f"Su respuesta baja el error frente a {called}", f"Hoy {judged.said}.", judged.verdict))
    return claims

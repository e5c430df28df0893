"""Q2: por qué se usa softmax en la salida. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import softmax

from tarea4.evaluation import predict
from tarea4.report.claims import Answer, Claim, by_epoch, compared
from tarea4.report.parameters import Common, Integer, Sizes, meaning
from tarea4.report.words import SPLITS, mean_and_spread, number, phrased, plural, settled
from tarea4.statistics import calibration
from tarea4.training import Run

# Salida y pérdida: primero, las parejas cuyo gradiente es p - y; después, las que le añaden la derivada de la salida.
PAIRS = {
    "softmax con entropía cruzada": ("softmax", "categorical_crossentropy"),
    "sigmoide con entropía binaria": ("sigmoid", "binary_crossentropy"),
    "lineal con error cuadrático": ("linear", "mean_squared_error"),
    "softmax con error cuadrático": ("softmax", "mean_squared_error"),
    "sigmoide con error cuadrático": ("sigmoid", "mean_squared_error"),
}
SOFTMAX, SIGMOID, *_ = MATCHED = list(PAIRS)[:3]
SATURATING = list(PAIRS)[3:]
READS = ("es mayor", "parece mayor"), ("es menor", "parece menor"), "no se distingue"


class Parameters(Common):
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta")
    n_bins: Integer = meaning("tramos del diagrama de calibración", ge=2, le=100)


def gradients(logits: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Por pareja, el gradiente (n, k) de la pérdida de cada imagen en sus logits, por diferenciación automática.

    Sin el factor con que Keras promedia las k salidas, que Adam no nota: el error cuadrático es ``½ Σ (p - y)²``.
    """
    k, found = logits.shape[1], {}
    targets, z = tf.one_hot(y, k, dtype=tf.float64), tf.Variable(logits, dtype=tf.float64)
    scales = {"categorical_crossentropy": 1, "binary_crossentropy": k, "mean_squared_error": k / 2}
    for name, (output, loss) in PAIRS.items():
        with tf.GradientTape() as tape:
            losses = scales[loss] * keras.losses.get(loss)(targets, keras.activations.get(output)(z))
        found[name] = tape.gradient(losses, z).numpy()
    return found


def true_logit_gradients(true_logits: np.ndarray, k: int) -> dict[str, pd.DataFrame]:
    """Por pareja, el gradiente en el logit de la clase verdadera, que es el índice; los otros k - 1 están en 0."""
    logits = np.outer(true_logits, np.eye(k)[0])
    found = gradients(logits, np.zeros(len(logits), int))
    return {name: pd.DataFrame({name: each[:, 0]}, index=true_logits) for name, each in found.items()}


def worked_example(logits: list[float], true: int) -> pd.DataFrame:
    """De la softmax a p - y, clase por clase, con el gradiente que da la diferenciación automática al lado."""
    p, y = softmax(logits), np.eye(len(logits))[true]
    columns = {"Logit": logits, "p": p, "y": y, "p − y": p - y}
    columns["Gradiente"] = gradients(np.array([logits]), np.array([true]))[SOFTMAX][0]
    return pd.DataFrame(columns).map(number, decimals=3).rename_axis("Clase").reset_index()


def learning(runs: dict[str, list[Run]]) -> dict[str, pd.DataFrame]:
    """Por pareja, la exactitud de validación (%) en cada época (filas, desde 1) y con cada semilla (columnas)."""
    return {name: 100 * by_epoch(group, "val_accuracy") for name, group in runs.items()}


def first_epoch(learned: dict[str, pd.DataFrame]) -> str:
    """Lo que softmax y sigmoide aciertan en validación tras una sola época, con su pérdida y con error cuadrático."""
    shown = {name: f"{mean_and_spread(table.loc[1], 2)}\xa0%" for name, table in learned.items()}
    own, squared = (" y ".join(shown[name] for name in pair) for pair in ((SOFTMAX, SIGMOID), SATURATING))
    return (
        "Tras la primera época, la exactitud de validación de softmax y sigmoide es, con la pérdida de cada una, "
        f"{own}; con error cuadrático, {squared}."
    )


def unread(runs: dict[str, list[Run]], x: np.ndarray, y: np.ndarray) -> str:
    """Con cuántas semillas la red elegida deja alguna clase de `y` sin acertar ni una vez."""
    read = {name: [y[predict(run.model, x).argmax(axis=1) == y] for run in group] for name, group in runs.items()}
    said = [f"{name}, {sum(set(hits) < set(y) for hits in group)} de {len(group)}" for name, group in read.items()]
    return f"Semillas que dejan alguna clase de validación sin acertar ni una vez: {'; '.join(said)}."


def trust(runs: dict[str, list[Run]], x: np.ndarray, y: np.ndarray, n_bins: int) -> pd.DataFrame:
    """La calibración de las dos parejas de verosimilitud, por semilla; las sigmoides se dividen entre su suma.

    Columnas: `model`, `seed`, `found` (`Calibration`), `ece` y, de confianza menos exactitud, la media en el tramo más
    seguro, `sure`, y en los demás, `unsure`.
    """
    rows = []
    for name, run in [(pair, run) for pair in (SOFTMAX, SIGMOID) for run in runs[pair]]:
        outputs = predict(run.model, x)
        found = calibration(y, outputs / outputs.sum(axis=1, keepdims=True), n_bins)
        bins = found.bins.assign(excess=found.bins.eval("(confidence - accuracy) * count"))
        sums = bins.groupby(bins["high"] == 1)[["excess", "count"]].sum()
        excess = (sums["excess"] / sums["count"]).rename({True: "sure", False: "unsure"})
        rows.append({"model": name, "seed": run.seed, "found": found, "ece": found.ece, **excess})
    return pd.DataFrame(rows)


def trust_read(trusted: pd.DataFrame) -> str:
    said = []
    for name, group in trusted.groupby("model", sort=False):
        sure, unsure = (mean_and_spread(group[column], 2, 100) for column in ("sure", "unsure"))
        said.append(f"{name}, {sure} puntos en el tramo más seguro y {unsure} puntos en los demás")
    by_seed = trusted.pivot(index="seed", columns="model", values="ece")
    wins = f"gana con {(by_seed[SIGMOID] < by_seed[SOFTMAX]).sum()} de {plural(len(by_seed), 'semilla')}"
    return f"Confianza menos exactitud, en prueba: {'; '.join(said)}. En error de calibración, la segunda {wins}."


def standing(measured: pd.DataFrame, split: str, names: list[str]) -> tuple[str, float | None]:
    """La exactitud de softmax con entropía cruzada frente a las de `names`, y el menor valor p de las que supera.

    Las comparaciones con las demás parejas de `PAIRS` son una familia: los valores p van corregidos por Holm.
    """
    found = compared(measured, [(SOFTMAX, name) for name in PAIRS if name != SOFTMAX], f"{split}_accuracy")
    found = found.set_index("other").loc[names]
    said = "; ".join(
        f"comparada con la de {row.Index}, {phrased(row.outcome, row.holm, *READS)} "
        f"({number(100 * row.difference, 2)} puntos)"
        for row in found.itertuples()
    )
    accuracy = mean_and_spread(measured.loc[measured["model"] == SOFTMAX, f"{split}_accuracy"], 2, 100)
    better = min(found.loc[found["outcome"] == "mejor", "holm"], default=None)
    return f"La exactitud en {SPLITS[split]} de {SOFTMAX} es {accuracy}\xa0%; {said}.", better


def answer(measured: pd.DataFrame, learned: dict[str, pd.DataFrame]) -> Answer:
    """Por qué softmax: primero lo que es teorema; después, lo medido de su exactitud y de lo deprisa que aprende."""
    accuracy, better = standing(measured, "test", MATCHED[1:])
    text = (
        "**Porque convierte los logits en una probabilidad para cada clase y, con la entropía cruzada, su gradiente es "
        f"p − y, que no se apaga mientras la red se equivoca.** {accuracy} {first_epoch(learned)}"
    )
    also = "no se ve que acierte más"
    if better is not None:
        also = settled(better, "además, acierta más", "además, parece acertar más")
    return Answer(f"por dar una probabilidad a cada clase y por su gradiente, p − y; {also}", text)


def claims(measured: pd.DataFrame) -> list[Claim]:
    """Si basta con que sea multiclase, y qué probabilidad se maximiza."""
    val = mean_and_spread(measured.loc[measured["model"] == SOFTMAX, "val_accuracy"], 2, 100)
    maximised = (
        "Se maximiza la de la clase verdadera. Es la más probable en las imágenes que la red acierta (exactitud de "
        f"validación, {val}\xa0%); en las demás, p − y baja el logit de la más probable y sube el de la verdadera."
    )
    multiclass = f"Lo es, y otras salidas también la hacen. {standing(measured, 'test', MATCHED[1:])[0]}"
    return [
        Claim("Porque es clasificación multiclase", multiclass, "es cierto, pero no basta"),
        Claim("Se quiere maximizar la probabilidad de la clase más probable", maximised, "se refuta"),
    ]

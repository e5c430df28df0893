"""Q2: qué aporta softmax a la salida de una red. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import softmax

from tarea4.evaluation import confident_errors, predict
from tarea4.report.claims import Answer, Claim, claimed
from tarea4.report.parameters import Common, Integer, Sizes, meaning
from tarea4.report.words import mean_and_spread, number, plural, verdict
from tarea4.statistics import compare
from tarea4.training import Run

OUTPUTS = {"softmax": "softmax", "sigmoide": "sigmoid", "lineal": "linear"}


class Parameters(Common):
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta")
    n_bins: Integer = meaning("tramos del diagrama de calibración", ge=2, le=100)


def output_ranges(outputs: dict[str, list[np.ndarray]]) -> pd.DataFrame:
    """Por nombre, los extremos de las salidas (n, k) de sus redes y de su suma por imagen, y si son distribución."""
    rows = {}
    for name, arrays in outputs.items():
        values = np.concatenate(arrays)
        sums = values.sum(axis=1, dtype="float64")
        bounds = {"min": values.min(), "max": values.max(), "min_sum": sums.min(), "max_sum": sums.max()}
        # Cada salida se redondea en float32, con un error relativo de 6e-8.
        rows[name] = bounds | {"distribution": bool(values.min() >= 0 and np.allclose(sums, 1, rtol=0, atol=1e-5))}
    return pd.DataFrame.from_dict(rows, orient="index")


def confidences(runs: dict[str, list[Run]], x: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Lo que se puede leer como probabilidad (n, k): softmax, y la sigmoide dividida entre su suma; la lineal, no."""
    read = {"softmax": "softmax", "sigmoide normalizada": "sigmoide"}
    outputs = {label: (predict(run.model, x) for run in runs[name]) for label, name in read.items()}
    return {label: [each / each.sum(axis=1, keepdims=True) for each in group] for label, group in outputs.items()}


def choices_kept(logits: np.ndarray, probabilities: np.ndarray) -> int:
    """En cuántas imágenes la clase de mayor logit tiene también la mayor probabilidad, salvo redondeo."""
    chosen = np.take_along_axis(probabilities, logits.argmax(axis=1, keepdims=True), axis=1)
    return int(np.isclose(chosen[:, 0], probabilities.max(axis=1)).sum())


def gradient_errors(logits: np.ndarray, y: np.ndarray, step: float = 1e-5) -> dict[str, float]:
    """Mayor distancia entre p - y y el gradiente de la entropía cruzada en los logits (n, k), de dos maneras."""
    z, k = tf.Variable(logits, dtype=tf.float64), logits.shape[1]
    targets = tf.one_hot(y, k, dtype=tf.float64)
    shifts = step * np.concatenate([np.eye(k), -np.eye(k), np.zeros((1, k))])[:, None]
    with tf.GradientTape() as tape:
        losses = -tf.reduce_sum(targets * tf.nn.log_softmax(z + shifts), axis=2)
        unshifted = losses[-1]
    central = tf.transpose(losses[:k] - losses[k:-1]) / (2 * step)
    gradients = {"diferenciación automática": tape.gradient(unshifted, z), "diferencias centrales": central}
    expected = tf.nn.softmax(z) - targets
    return {name: float(tf.reduce_max(tf.abs(gradient - expected))) for name, gradient in gradients.items()}


def wrong_by_seed(logits: list[np.ndarray], y: np.ndarray, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Por semilla, los errores, el más seguro primero, con la probabilidad y el gradiente p - y de sus dos clases."""
    tables = []
    for z, seed in zip(logits, seeds, strict=True):
        p = softmax(z.astype("float64"), axis=1)
        image = confident_errors(y, p, len(y))
        classes = {"true": y[image], "likeliest": p[image].argmax(axis=1)}
        table = pd.DataFrame({"image": image} | classes | {f"p_{name}": p[image, k] for name, k in classes.items()})
        table["gradient_true"], table["gradient_likeliest"] = table["p_true"] - 1, table["p_likeliest"]
        tables.append(table.assign(seed=seed))
    return pd.concat(tables)


def softmax_verdicts(measured: pd.DataFrame, split: str, where: str) -> dict[str, str]:
    """Qué permite decir la exactitud en una partición ("val" o "test") de la salida softmax frente a cada otra."""
    names = [name for name in measured["model"].unique() if name != "softmax"]
    pairs = {name: compare(measured, "softmax", name, f"{split}_accuracy") for name in names}
    return {name: verdict("la salida softmax", f"la {name}", "accuracy", pair, where) for name, pair in pairs.items()}


def answer(ranges: pd.DataFrame, kept: int, n: int, measured: pd.DataFrame, eces: dict[str, list[float]]) -> Answer:
    """Si softmax da una distribución y si cambia la clase elegida: `kept` de `n` imágenes la conservan."""
    is_distribution = ranges["distribution"]
    gives, changes = ("da" if is_distribution["softmax"] else "no da"), ("no cambia" if kept == n else "cambia")
    bounds = ranges[["min_sum", "max_sum"]].itertuples()
    sums = [f"{' a '.join(dict.fromkeys(map(number, limits)))} con {name}" for name, *limits in bounds]
    text = (
        f"**Softmax {gives} una distribución de probabilidad y {changes} la clase elegida.** "
        f"Las salidas de una imagen de validación suman: {'; '.join(sums)}. Con softmax, la clase más probable es la "
        f"de mayor logit en {number(kept, 0)} de {number(n, 0)} casos. Error de calibración (ECE) en prueba: "
        f"{'; '.join(f'{name}, {mean_and_spread(values)}' for name, values in eces.items())}. "
        f"{' '.join(softmax_verdicts(measured, 'test', 'en prueba').values())}"
    )
    found = ", ".join(f"{name} {'sí' if is_one else 'no'}" for name, is_one in is_distribution.items())
    return Answer(f"da una distribución: {found}; el argmax {changes}", text)


def claims(measured: pd.DataFrame, wrong: pd.DataFrame) -> list[Claim]:
    """Si softmax clasifica mejor que otras salidas y si se maximiza «la probabilidad de la clase más probable»."""
    statement = "«Porque es clasificación multiclase»: softmax clasifica mejor que la salida"
    models = [(name, f"la {name}") for name in measured["model"].unique() if name != "softmax"]
    soft = "softmax", "la salida softmax"
    claims = [claimed(f"{statement} {other[0]}", measured, "val_accuracy", soft, other) for other in models]
    opposed = int(((wrong["gradient_likeliest"] > 0) & (wrong["gradient_true"] < 0)).sum())
    evidence = (
        f"En {number(opposed, 0)} de {plural(len(wrong), 'error', 'errores')} de validación, sumadas las semillas, el "
        "descenso por gradiente baja el logit de la clase más probable y sube el de la verdadera."
    )
    result = "se refuta" if opposed else "se confirma"
    return [*claims, Claim("Se maximiza «la probabilidad de la clase más probable»", evidence, result)]

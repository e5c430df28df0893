"""Q2: qué aporta softmax a la salida de una red. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import softmax

from tarea4.evaluation import confident_errors, predict
from tarea4.report.claims import OUTCOMES, Answer, Claim
from tarea4.report.parameters import Common, Integer, Sizes, meaning
from tarea4.report.words import mean_and_spread, number, outcome, plural, verdict
from tarea4.statistics import compare
from tarea4.training import Run

OUTPUTS = {"softmax": "softmax", "sigmoide": "sigmoid", "lineal": "linear"}


class Parameters(Common):
    """Los parámetros de Q2."""

    hidden_sizes: Sizes = meaning("unidades de cada capa oculta")
    n_bins: Integer = meaning("tramos del diagrama de calibración", ge=2, le=100)


def output_ranges(outputs: dict[str, list[np.ndarray]]) -> pd.DataFrame:
    """Entre qué valores están las salidas (n, k) de las redes de cada nombre y su suma en cada imagen.

    Columnas: `min`, `max`, `min_sum`, `max_sum` y `distribution`, si ninguna es negativa y todas las sumas son 1.
    """
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
    outputs = {label: [predict(run.model, x) for run in runs[name]] for label, name in read.items()}
    return {label: [each / each.sum(axis=1, keepdims=True) for each in group] for label, group in outputs.items()}


def choices_kept(logits: np.ndarray, probabilities: np.ndarray) -> int:
    """En cuántas imágenes la clase de mayor logit tiene también la mayor probabilidad, salvo redondeo."""
    chosen = np.take_along_axis(probabilities, logits.argmax(axis=1, keepdims=True), axis=1)
    return int(np.isclose(chosen[:, 0], probabilities.max(axis=1)).sum())


def gradient_errors(logits: np.ndarray, y: np.ndarray, step: float = 1e-5) -> dict[str, float]:
    """Mayor distancia entre p - y y el gradiente de la entropía cruzada respecto a los logits (n, k), en float64.

    El gradiente se calcula de dos maneras: por diferenciación automática y por diferencias centrales de paso `step`.
    """
    z, targets = tf.constant(logits, tf.float64), tf.one_hot(y, logits.shape[1], dtype=tf.float64)

    def loss(z):
        return -tf.reduce_sum(targets * tf.nn.log_softmax(z), axis=1)

    with tf.GradientTape() as tape:
        tape.watch(z)
        total = tf.reduce_sum(loss(z))
    central = [(loss(z + shift) - loss(z - shift)) / (2 * step) for shift in step * np.eye(logits.shape[1])]
    gradients = {"diferenciación automática": tape.gradient(total, z), "diferencias centrales": tf.stack(central, 1)}
    expected = tf.nn.softmax(z) - targets
    return {name: float(tf.reduce_max(tf.abs(gradient - expected))) for name, gradient in gradients.items()}


def wrong_images(logits: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """Imágenes mal clasificadas, de la equivocación más segura a la menos, y el gradiente p - y en dos clases.

    Columnas: `image` (índice); `true` y `likeliest`, las clases verdadera y más probable; y, de cada una, su
    probabilidad (`p_`) y la derivada de la pérdida respecto a su logit (`gradient_`): si es positiva, el descenso por
    gradiente baja ese logit.
    """
    p = softmax(logits.astype("float64"), axis=1)
    image = confident_errors(y, p, len(y))
    classes = {"true": y[image], "likeliest": p[image].argmax(axis=1)}
    p_of = {name: p[image, label] for name, label in classes.items()}
    gradients = {f"gradient_{name}": value - (name == "true") for name, value in p_of.items()}
    return pd.DataFrame({"image": image} | classes | {f"p_{name}": value for name, value in p_of.items()} | gradients)


def wrong_by_seed(logits: list[np.ndarray], y: np.ndarray, seeds: Sequence[int]) -> pd.DataFrame:
    """Las `wrong_images` de todas las semillas, con la suya en `seed`."""
    return pd.concat([wrong_images(z, y).assign(seed=seed) for z, seed in zip(logits, seeds, strict=True)])


def softmax_verdicts(measured: pd.DataFrame, split: str, where: str) -> dict[str, str]:
    """Qué permite decir la exactitud en una partición ("val" o "test") de la salida softmax frente a cada otra."""
    names = [name for name in measured["model"].unique() if name != "softmax"]
    comparisons = {name: compare(measured, "softmax", name, f"{split}_accuracy") for name in names}
    subject = "la salida softmax"
    return {name: verdict(subject, f"la {name}", "accuracy", paired, where) for name, paired in comparisons.items()}


def answer(ranges: pd.DataFrame, kept: int, n: int, measured: pd.DataFrame, eces: dict[str, list[float]]) -> Answer:
    """Qué aporta softmax: si sus salidas, y no las otras, son una distribución, y si cambia la clase elegida.

    `ranges` es de `output_ranges`; `kept` de las `n` clases elegidas son las mismas antes y después de softmax;
    `measured`, de `tarea4.evaluation.results`; y `eces`, los errores de calibración en prueba, por salida.
    """
    is_distribution = ranges["distribution"]
    gives = "da" if is_distribution["softmax"] else "no da"
    changes = "no cambia" if kept == n else "cambia"
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
    """Si softmax clasifica mejor que otras salidas y si se maximiza «la probabilidad de la clase más probable».

    Cuando la red se equivoca (`wrong`, de `wrong_images`) las dos clases difieren, y el gradiente muestra cuál sube.
    """
    multiclass = [
        Claim(
            f"«Porque es clasificación multiclase»: softmax clasifica mejor que la salida {name}",
            sentence,
            OUTCOMES[outcome(compare(measured, "softmax", name, "val_accuracy"))],
        )
        for name, sentence in softmax_verdicts(measured, "val", "en validación").items()
    ]
    opposed = int(((wrong["gradient_likeliest"] > 0) & (wrong["gradient_true"] < 0)).sum())
    evidence = (
        f"En {number(opposed, 0)} de {plural(len(wrong), 'error', 'errores')} de validación, sumadas las semillas, el "
        "descenso por gradiente baja el logit de la clase más probable y sube el de la verdadera."
    )
    maximised = Claim(
        "Se maximiza «la probabilidad de la clase más probable»", evidence, "se refuta" if opposed else "se confirma"
    )
    return [*multiclass, maximised]

"""MNIST y otros conjuntos de imágenes en el mismo formato: cargar, comprobar y repartir."""

import functools
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten

import numpy as np
from scipy.stats import chi2_contingency

from tarea4.reading import EXPECTED, Unusable, read

MNIST_PATH = Path(__file__).with_name("mnist.npz")
VALIDATION_FRACTION, FEW, SPLITS = 0.1, 5, ("train", "val", "test")
MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"


@dataclass(frozen=True)
class Dataset:
    """Imágenes aplanadas y etiquetas, repartidas en entrenamiento, validación y prueba.

    Attributes
    ----------
    x_train, x_val, x_test : ndarray of float32, shape (n, height * width)
        Imágenes aplanadas por filas, con intensidades entre 0 y 1.
    y_train, y_val, y_test : ndarray of int32, shape (n,)
        Etiquetas entre 0 y ``n_classes - 1``.
    image_shape : tuple of int
        Alto y ancho de una imagen, en píxeles.
    n_classes : int
        Número de clases, 2 o más.
    class_names : tuple of str
        Cómo llaman a cada clase los datos que se leyeron.
    description : str
        Qué se leyó, cómo se entendió y cómo se repartió, en una línea.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    image_shape: tuple[int, int]
    n_classes: int
    class_names: tuple[str, ...] = ()
    description: str = ""

    @property
    def input_size(self) -> int:
        """Número de píxeles de una imagen, que es el tamaño de la entrada de las redes."""
        return self.image_shape[0] * self.image_shape[1]

    @property
    def sizes(self) -> dict[str, int]:
        """`input_size` y `n_classes`, que es lo que una red debe saber de los datos."""
        return {"input_size": self.input_size, "n_classes": self.n_classes}

    @functools.cached_property
    def digest(self) -> str:
        """Resumen SHA-256, en hexadecimal, de las imágenes y etiquetas que deciden un entrenamiento."""
        digest = hashlib.sha256(repr((self.image_shape, self.n_classes)).encode())
        for array in (self.x_train, self.y_train, self.x_val, self.y_val):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(data_path: str | Path | None = None) -> Dataset:
    """Carga MNIST u otras imágenes en grises, las lleva a [0, 1] y aparta la validación.

    Como ``validation_split`` de Keras (https://keras.io/api/models/model_training_apis/#fit-method), valida con las
    últimas: en MNIST entrenan 54 000 y validan 6 000, igual que en 2020. Otros datos pueden traer su validación; si no,
    y las últimas no son como las demás, se sortea con `stratified`.

    Parameters
    ----------
    data_path : str or Path, optional
        Un ``.npz`` con ``x_train``, ``y_train``, ``x_test`` e ``y_test``, una carpeta con cuatro IDX o un ``.csv`` con
        una columna ``label``. Sin él se carga el MNIST incluido en el paquete, comprobado con SHA-256.

    Raises
    ------
    FileNotFoundError, ValueError
        Si no existe `data_path`, o si lo que contiene no se puede leer o no sirve para entrenar, validar y probar.
    """
    path = MNIST_PATH if data_path is None else Path(os.path.expanduser(data_path))
    if not os.path.exists(path):
        raise FileNotFoundError(f"data_path: no existe el archivo {str(path)!r}; se espera {EXPECTED}.")
    try:
        images, labels, names, notes = read(path)
        shape = tuple(map(int, images["train"].shape[1:]))
        raw = [a for part in images for a in (np.ascontiguousarray(images[part]), labels[part].astype("uint8"))]
        sha256 = hashlib.sha256(b"".join(raw)).hexdigest()
        _scale(images, notes)
        data = _split(images, labels, notes, image_shape=shape, n_classes=len(names), class_names=names)
    except Unusable as error:
        raise ValueError(f"data_path: {path.name or path} no sirve como datos: {error}.") from error
    if data_path is None and sha256 != MNIST_SHA256:
        raise ValueError(f"MNIST: el SHA-256 de mnist.npz es {sha256} y debe ser {MNIST_SHA256}.")
    title, size = "MNIST" if sha256 == MNIST_SHA256 else f"«{path.name}»", "\xa0×\xa0".join(map(str, shape))
    description = "; ".join(dict.fromkeys([f"{title}: {len(names)} clases de imágenes de {size}", *notes]))
    return replace(data, description=f"{description}.")


def stratified(data: Dataset, seed: int = 0) -> Dataset:
    """Los mismos datos con otra validación: igual de grande, al azar y con la misma proporción de cada clase.

    References
    ----------
    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    from sklearn.model_selection import train_test_split  # tarda casi un segundo en importarse, y pocos la necesitan

    x, y = (np.concatenate([getattr(data, f"{axis}_{split}") for split in ("train", "val")]) for axis in "xy")
    counts, smaller = np.bincount(y, minlength=data.n_classes), min(len(data.x_train), len(data.x_val))
    # Cada clase debe caber en las dos partes; si no, no hay proporción que guardar.
    classes = y if counts.min() > 1 and smaller >= data.n_classes else None
    parts = train_test_split(x, y, test_size=len(data.x_val), random_state=seed, stratify=classes)
    return replace(data, **dict(zip(("x_train", "x_val", "y_train", "y_val"), parts, strict=True)))


def pooled(data: Dataset, crop: int = 2) -> Dataset:
    """Los mismos datos sin `crop` píxeles de cada borde y con cada cuadro de 2 x 2 promediado: MNIST queda en 12 x 12.

    Raises
    ------
    ValueError
        Si lo que queda de una imagen no se puede partir en cuadros de 2 x 2.
    """
    height, width = (side - 2 * crop for side in data.image_shape)
    if crop < 0 or min(height, width) < 2 or height % 2 or width % 2:
        raise ValueError(f"crop: se recibió {crop!r} y se admite 0 o más, si deja lados pares, no {height} x {width}.")
    images = {}
    for split in SPLITS:
        x = getattr(data, f"x_{split}").reshape(-1, *data.image_shape)[:, crop : crop + height, crop : crop + width]
        images[f"x_{split}"] = x.reshape(-1, height // 2, 2, width // 2, 2).mean(axis=(2, 4)).reshape(len(x), -1)
    return replace(data, **images, image_shape=(height // 2, width // 2))


def _scale(images: dict[str, np.ndarray], notes: list[str]) -> None:
    # Todos los enteros se dividen entre 255 o, si no es su escala, su máximo: dos escalas se notan luego en el brillo.
    seen = ", ".join(f"x_{split} {x.shape} va de {x.min():.4g} a {x.max():.4g}" for split, x in images.items())
    if len({x.shape[1:] for x in images.values()}) > 1:
        raise Unusable(f"{seen}, y se espera el mismo alto y ancho")
    top = max((x.max() for x in images.values() if x.dtype.kind in "iu"), default=0)
    divisors, bright = {}, []
    for split, x in images.items():
        whole, high = (True, top) if x.dtype.kind in "iu" else (False, x.max())
        if not (x.min() >= 0 and (whole or 0.5 <= high <= 1 or 128 <= high <= 255)):  # un NaN tampoco lo cumple
            raise Unusable(f"{seen}; lleva todas, de la misma manera, a [0, 1] o a [0, 255], sin dividirlas dos veces")
        divisors[split] = 1 if high <= 1 else 255 if 128 <= high <= 255 else high
        bright.append(x.max(axis=(1, 2)).mean(dtype=float) / divisors[split])
        images[split] = x.reshape(len(x), -1).astype("float32") / np.float32(divisors[split])
    if not max(bright) <= 2 * min(bright) > 0:
        raise Unusable(f"{seen}, y no parecen de la misma escala; lleva todas, de la misma manera, a [0, 1]")
    each = ", ".join(f"{divisor} en x_{split}" for split, divisor in divisors.items())
    one = len({*divisors.values()}) == 1
    notes.append(f"{'' if one else 'OJO, '}intensidades divididas entre {divisors['train'] if one else each}")
    notes += ["OJO, no hay más intensidades que 0 y 1"] * bool(top == 1)


def _split(images: dict[str, np.ndarray], labels: dict[str, np.ndarray], notes: list[str], **known) -> Dataset:
    n, how = len(images["train"]), "las suyas"
    if "val" not in images:
        n_val, how = round(n * VALIDATION_FRACTION), "las últimas"
        if not n_val:
            raise Unusable(f"{n} imágenes no alcanzan para entrenar y validar")
        for part in (images, labels):
            part["train"], part["val"] = np.split(part["train"], [n - n_val])
    data = Dataset(*(part[split] for split in SPLITS for part in (images, labels)), **known)
    counts = _counts(data)
    if how == "las últimas" and (not counts[:2].all() or chi2_contingency(counts[:2]).pvalue < 1e-6):
        data, how = stratified(data), "al azar y, si caben, por clases, con semilla 0, porque las últimas son distintas"
    train, val, test = (f"{len(labels[split]):,}".replace(",", "\xa0") for split in SPLITS)
    notes.append(f"entrenan {train}, validan {val} ({how}) y prueban {test}")
    names, counts = np.array(data.class_names), _counts(data)
    if not counts[0].all():
        raise Unusable(f"no hay imágenes para entrenar de las clases {shorten(', '.join(names[counts[0] == 0]), 90)}")
    if np.count_nonzero(counts[2]) < 2:
        raise Unusable(f"todas las imágenes de prueba son de la clase {names[counts[2].argmax()]}")
    for use, lot in zip(("entrenar", "validar", "probar"), (names[n < FEW] for n in counts), strict=True):
        notes += [f"OJO, hay menos de {FEW} imágenes para {use} de {shorten(', '.join(lot), 90)}"] * bool(lot.size)
    return data


def _counts(data: Dataset) -> np.ndarray:
    return np.array([np.bincount(getattr(data, f"y_{split}"), minlength=data.n_classes) for split in SPLITS])

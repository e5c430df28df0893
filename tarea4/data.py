"""MNIST y otros conjuntos de imágenes en el mismo formato: cargar, comprobar y repartir."""

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

MNIST_PATH = Path(__file__).with_name("mnist.npz")
VALIDATION_FRACTION = 0.1
MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


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
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    image_shape: tuple[int, int]
    n_classes: int

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
    """Carga MNIST, u otro conjunto de imágenes con la misma forma, y aparta la validación.

    Como ``validation_split`` de Keras, valida con las últimas imágenes de entrenamiento: en MNIST, las primeras
    54 000 entrenan y las 6 000 restantes validan, igual que en 2020.

    Parameters
    ----------
    data_path : str or Path, optional
        Archivo ``.npz`` con ``x_train`` y ``x_test`` (n, alto, ancho), de enteros sin signo de 8 bits o de reales
        entre 0 y 1, y con ``y_train`` e ``y_test`` (n,), de enteros de 0 a k - 1. Sin él se carga el MNIST incluido
        en el paquete, comprobado con SHA-256.

    Raises
    ------
    FileNotFoundError
        Si no existe ``data_path``.
    ValueError
        Si no es un ``.npz`` legible, o sus arreglos no tienen los nombres, formas, tipos o valores descritos.

    References
    ----------
    Y. LeCun, C. Cortes y C. Burges, "The MNIST database of handwritten digits".
    https://keras.io/api/models/model_training_apis/#fit-method
    """
    path = MNIST_PATH if data_path is None else Path(data_path)
    arrays = _read_npz(path)
    if data_path is None:
        _verify_sha256(arrays)
    for split in ("train", "test"):
        _check_split(path, split, arrays[f"x_{split}"], arrays[f"y_{split}"])
    shape, test_shape, n = arrays["x_train"].shape[1:], arrays["x_test"].shape[1:], len(arrays["x_train"])
    if test_shape != shape:
        raise _invalid(path, f"x_test tiene imágenes de {test_shape} y x_train de {shape}")
    n_classes = _count_classes(path, arrays["y_train"], arrays["y_test"])
    n_train = n - round(n * VALIDATION_FRACTION)
    if n_train == n:
        raise _invalid(path, f"{n} imágenes no alcanzan para entrenar y validar")
    x_train, x_test = _scale(arrays["x_train"]), _scale(arrays["x_test"])
    y_train, y_test = arrays["y_train"].astype("int32"), arrays["y_test"].astype("int32")
    train, val = (x_train[:n_train], y_train[:n_train]), (x_train[n_train:], y_train[n_train:])
    return Dataset(*train, *val, x_test, y_test, tuple(map(int, shape)), n_classes)


def _invalid(path: Path, problem: str) -> ValueError:
    return ValueError(f"data_path: {path.name} no sirve como datos: {problem}.")


def stratified(data: Dataset, seed: int = 0) -> Dataset:
    """Los mismos datos con otra validación: igual de grande, al azar y con la misma proporción de cada clase.

    References
    ----------
    https://scikit-learn.org/stable/modules/generated/sklearn.model_selection.train_test_split.html
    """
    from sklearn.model_selection import train_test_split  # tarda casi un segundo en importarse, y pocos la necesitan

    x, y = (np.concatenate([getattr(data, f"{axis}_{split}") for split in ("train", "val")]) for axis in "xy")
    # Cada clase debe caber en las dos partes; si no, no hay proporción que guardar.
    counts, smaller = np.bincount(y, minlength=data.n_classes), min(len(data.x_train), len(data.x_val))
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
        raise ValueError(
            f"crop: se recibió {crop!r} y se admite, de 0 en adelante, lo que deje lados pares, no {height} x {width}."
        )

    def pool(x: np.ndarray) -> np.ndarray:
        kept = x.reshape(-1, *data.image_shape)[:, crop : crop + height, crop : crop + width]
        return kept.reshape(-1, height // 2, 2, width // 2, 2).mean(axis=(2, 4)).reshape(len(x), -1)

    images = {f"x_{split}": pool(getattr(data, f"x_{split}")) for split in ("train", "val", "test")}
    return replace(data, **images, image_shape=(height // 2, width // 2))


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"data_path: no existe el archivo {str(path)!r}; se espera un .npz.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name in ARRAYS}
    except Exception as error:  # un archivo dañado hace saltar a zipfile y a NumPy de muchas maneras
        problem = "no se puede leer, está vacío, truncado, contiene objetos de Python, no cabe o no es un .npz"
        raise _invalid(path, problem) from error
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise _invalid(path, f"le falta {', '.join(missing)}")
    return arrays


def _verify_sha256(arrays: dict[str, np.ndarray]) -> None:
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    if digest.hexdigest() != MNIST_SHA256:
        raise ValueError(f"MNIST: el SHA-256 de mnist.npz es {digest.hexdigest()} y debe ser {MNIST_SHA256}.")


def _check_split(path: Path, split: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim != 3 or 0 in x.shape:
        raise _invalid(path, f"x_{split} tiene forma {x.shape} y se espera (n, alto, ancho) sin ceros")
    if y.shape != (len(x),):
        raise _invalid(path, f"y_{split} tiene forma {y.shape} y se espera ({len(x)},), una etiqueta por imagen")
    if not np.issubdtype(y.dtype, np.integer):
        raise _invalid(path, f"y_{split} es de tipo {y.dtype} y se esperan enteros")
    if np.issubdtype(x.dtype, np.floating):
        # La comparación también rechaza los NaN.
        if not (x.min() >= 0 and x.max() <= 1):
            raise _invalid(path, f"x_{split} tiene reales fuera de [0, 1] o no finitos")
    elif x.dtype != np.uint8:
        raise _invalid(path, f"x_{split} es de tipo {x.dtype} y se espera uint8, o reales entre 0 y 1")


def _count_classes(path: Path, y_train: np.ndarray, y_test: np.ndarray) -> int:
    labels = np.unique(y_train)
    if len(labels) < 2 or labels[0] != 0 or labels[-1] != len(labels) - 1:
        found = f"{len(labels)} valores entre {labels[0]} y {labels[-1]}"
        raise _invalid(path, f"y_train tiene {found} y se espera 0, 1, ..., k - 1 con k de 2 en adelante")
    if y_test.min() < 0 or y_test.max() >= len(labels):
        raise _invalid(path, f"y_test tiene etiquetas fuera de 0, ..., {len(labels) - 1}")
    return len(labels)


def _scale(x: np.ndarray) -> np.ndarray:
    flat = x.reshape(len(x), -1).astype("float32")
    return flat / np.float32(255) if x.dtype == np.uint8 else flat

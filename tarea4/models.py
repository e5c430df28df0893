"""Las dos familias de redes de la Tarea 4: la simple y la regularizada, con cualquier número y tamaño de capas."""

from collections.abc import Sequence

import keras

# Cada salida se entrena con la pérdida que le es propia.
OUTPUT_LOSSES = {
    "softmax": "categorical_crossentropy",
    "sigmoid": "binary_crossentropy",
    "linear": "mean_squared_error",
}


def plain(
    hidden_sizes: Sequence[int] = (40, 50, 15), *, input_size: int = 784, n_classes: int = 10, output: str = "softmax"
) -> keras.Sequential:
    """Perceptrón multicapa sin regularizar: capas densas con relu y una salida, compilado con Adam.

    De imágenes (n, input_size) da salidas (n, n_classes).

    Parameters
    ----------
    hidden_sizes : sequence of int
        Unidades de cada capa oculta, de la entrada a la salida; al menos una capa.
    input_size, n_classes : int
        Píxeles de una imagen aplanada y clases, 2 o más.
    output : {"softmax", "sigmoid", "linear"}
        Activación de la salida; cada una se compila con su pérdida, la de `OUTPUT_LOSSES`.

    Raises
    ------
    ValueError
        Si un tamaño no es un entero positivo o `output` no es una de las tres.

    References
    ----------
    https://keras.io/api/layers/core_layers/dense/
    """
    if output not in OUTPUT_LOSSES:
        raise ValueError(f"output: se recibió {output!r} y se admite una de {', '.join(OUTPUT_LOSSES)}.")
    hidden = [_dense(i, size) for i, size in enumerate(_checked_sizes(hidden_sizes))]
    return _compiled(hidden, input_size, n_classes, output)


def regularised(
    hidden_sizes: Sequence[int] = (40, 50, 15),
    *,
    dropout: float = 0.2,
    alpha_l1: float = 0.0,
    alpha_l2: float = 0.0,
    l1_layer: int = -1,
    l2_layer: int = -1,
    input_size: int = 784,
    n_classes: int = 10,
) -> keras.Sequential:
    """Perceptrón regularizado como en 2020, compilado con Adam.

    Dropout en la entrada, normalización por lotes tras la primera capa y penalizaciones l1 y l2 sobre la activación
    de capas ocultas. La relu se aplica antes y después de la normalización, como en el código original.

    Parameters
    ----------
    hidden_sizes : sequence of int
        Unidades de cada capa oculta; al menos una capa.
    dropout : float
        Fracción de los píxeles de entrada que se anula al entrenar, en [0, 1).
    alpha_l1, alpha_l2 : float
        Factores de las penalizaciones, por imagen, de 0 en adelante.
    l1_layer, l2_layer : int
        Capa oculta que lleva cada penalización, como índice de `hidden_sizes` (-1 es la última).
    input_size, n_classes : int
        Como en `plain`.

    Raises
    ------
    ValueError
        Si un tamaño, la tasa, un factor o un índice está fuera de su intervalo.

    References
    ----------
    S. Ioffe y C. Szegedy, "Batch normalization", ICML 2015.
    https://keras.io/api/layers/regularizers/
    """
    sizes = _checked_sizes(hidden_sizes)
    for name, alpha in (("alpha_l1", alpha_l1), ("alpha_l2", alpha_l2)):
        if not 0 <= alpha < float("inf"):
            raise ValueError(f"{name}: se recibió {alpha!r} y se admite un número finito mayor o igual que 0.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout: se recibió {dropout!r} y se admite un número mayor o igual que 0 y menor que 1.")
    penalties = [None] * len(sizes)
    for name, layer, term in (("l1_layer", l1_layer, {"l1": alpha_l1}), ("l2_layer", l2_layer, {"l2": alpha_l2})):
        if not -len(sizes) <= layer < len(sizes):
            raise ValueError(f"{name}: se recibió {layer!r} y se admite un índice de las {len(sizes)} capas ocultas.")
        others = penalties[layer].get_config() if penalties[layer] else {}
        penalties[layer] = keras.regularizers.L1L2(**others | term)
    first, *others = [_dense(i, size, penalties[i]) for i, size in enumerate(sizes)]
    hidden = [
        keras.layers.Dropout(dropout, name="dropout"),
        first,
        keras.layers.BatchNormalization(name="batch_normalization"),
        keras.layers.Activation("relu", name="activation"),
        *others,
    ]
    return _compiled(hidden, input_size, n_classes, "softmax")


def try_01(**sizes: int) -> keras.Sequential:
    """«Try 01» de 2020, la respuesta a Q3: 784-40-50-15-10, 34 375 parámetros. Admite `input_size` y `n_classes`."""
    return plain((40, 50, 15), **sizes)


def try_02(**sizes: int) -> keras.Sequential:
    """«Try 02» de 2020, tal como está en su código: 34 775 parámetros. Admite `input_size` y `n_classes`."""
    return regularised((40, 50, 15, 15), dropout=0.2, alpha_l1=70e-15, alpha_l2=3e-15, l1_layer=-2, **sizes)


def printed_variant(**sizes: int) -> keras.Sequential:
    """Variante de «Try 02» cuyo resumen imprime el informe de 2020, con una sola capa de 15: 34 535 parámetros."""
    return regularised((40, 50, 15), dropout=0.2, alpha_l1=70e-15, **sizes)


def q4_answer(**sizes: int) -> keras.Sequential:
    """La respuesta a Q4 de 2020: dropout 0.10, capas 25-45-25 y l1 = 3e-15."""
    return regularised((25, 45, 25), dropout=0.1, alpha_l1=3e-15, **sizes)


def _checked_sizes(hidden_sizes: Sequence[int]) -> list[int]:
    if not hidden_sizes or not all(type(size) is int and size > 0 for size in hidden_sizes):
        raise ValueError(
            f"hidden_sizes: se recibió {hidden_sizes!r} y se admite una lista no vacía de enteros positivos."
        )
    return list(hidden_sizes)


def _dense(index: int, size: int, penalty: keras.regularizers.L1L2 | None = None) -> keras.layers.Dense:
    # Nombres fijos, como los del resumen de 2020: dos redes iguales comparten así su función compilada.
    name = f"dense_{index}" if index else "dense"
    return keras.layers.Dense(size, activation="relu", activity_regularizer=penalty, name=name)


def _compiled(hidden: list[keras.layers.Layer], input_size: int, n_classes: int, output: str) -> keras.Sequential:
    last = keras.layers.Dense(n_classes, activation=output, name="output")
    model = keras.Sequential([keras.Input((input_size,), name="input"), *hidden, last], name="sequential")
    model.compile(optimizer=keras.optimizers.Adam(name="adam"), loss=OUTPUT_LOSSES[output], metrics=["accuracy"])
    return model

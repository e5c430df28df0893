"""En qué se va una época, frente al suelo de NumPy: la mide entera y sin cada pieza.

``PYTHONPATH=tools .venv/bin/python benchmarks/perfil.py``
"""

import os
import subprocess
import sys

import numpy as np
from velocidad import FLOOR, race

PIECES = {"nada": "época entera", "gather": "tomar por índice las imágenes de cada lote", "adam": "Adam"}
NETWORKS = {"plain": "red simple", "try_02": "regularizada"}


def measure(without: str, network: str) -> None:
    """Escribe los segundos de una época, la mediana de veinte, con un solo entrenamiento y sin una de las `PIECES`."""
    import keras
    import tensorflow as tf

    import tarea4

    gather = tf.gather
    if without == "gather":  # en cada paso, las mismas imágenes
        tf.gather = lambda x, i, **k: x[: i.shape[0]] if len(i.shape) == 1 and len(x.shape) == 2 else gather(x, i, **k)
    if without == "adam":  # los gradientes se calculan, pero apenas se usan
        keras.optimizers.Optimizer.apply = lambda self, grads, variables=None: [
            v.assign_sub(0 * g) for g, v in zip(grads, variables or self._trainable_variables, strict=True)
        ]
    data = tarea4.load()
    model = getattr(tarea4, network)(**data.sizes)
    run = tarea4.train(model, data, epochs=23, train_metrics=False)
    print(np.median(run.history["seconds"][3:]))  # la primera compila


def seconds(without: str, network: str) -> float:
    """Lo que escribe `measure` en un proceso nuevo, que no recuerda nada y usa un hilo por operación."""
    environment = os.environ | {"TAREA4_CACHE": "", "TF_NUM_INTRAOP_THREADS": "1"}
    command = [sys.executable, __file__, without, network]
    process = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(process.stdout.splitlines()[-1])


def main() -> None:
    """Escribe la tabla, en Markdown."""
    floor = race(FLOOR)["epoch"]
    spent = {name: {piece: seconds(piece, name) / floor for piece in PIECES} for name in NETWORKS}
    for each in spent.values():
        each |= {piece: each["nada"] - each[piece] for piece in PIECES if piece != "nada"}
        each["resto"] = each["nada"] - sum(each[piece] for piece in PIECES if piece != "nada")
    print(f"| pieza | {' | '.join(NETWORKS.values())} |\n| --- | ---: | ---: |")
    for piece, name in (PIECES | {"resto": "lo demás"}).items():
        print(f"| {name} | {' | '.join(f'{each[piece]:.2f}' for each in spent.values())} |")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()

"""En qué se va una época: ``python benchmarks/perfil.py`` la mide entera y sin cada pieza, frente al suelo de NumPy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
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


def run(*command: str, **environment: str) -> str:
    """La última línea de un proceso nuevo, sin los ajustes de hilos que tenga este."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "OMP_"))}
    kept |= {"TAREA4_CACHE": "", "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    process = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True, env=kept)
    return process.stdout.splitlines()[-1]


def main() -> None:
    """Escribe la tabla, en Markdown."""
    floor = json.loads(run(HERE / "competidores.py", "numpy", "plain", OPENBLAS_NUM_THREADS="1"))["epoch"]
    spent = {
        name: {piece: float(run(__file__, piece, name, TF_NUM_INTRAOP_THREADS="1")) / floor for piece in PIECES}
        for name in NETWORKS
    }
    for each in spent.values():
        each |= {piece: each["nada"] - each[piece] for piece in PIECES if piece != "nada"}
        each["resto"] = each["nada"] - sum(each[piece] for piece in PIECES if piece != "nada")
    print(f"| pieza | {' | '.join(NETWORKS.values())} |\n| --- | ---: | ---: |")
    for piece, name in (PIECES | {"resto": "lo demás"}).items():
        print(f"| {name} | {' | '.join(f'{each[piece]:.2f}' for each in spent.values())} |")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()

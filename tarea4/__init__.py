"""Modelos, entrenamiento y evaluación de la Tarea 4: dos redes pequeñas de Keras sobre MNIST."""

import logging
import os
import sys
import warnings

__version__ = "1.0.0"


def _import_tensorflow_quietly() -> None:
    # TensorFlow escribe en el descriptor 2 desde C++ (oneDNN, CUDA, identificadores de proceso) antes de atender a
    # TF_CPP_MIN_LOG_LEVEL; en la salida de un cuaderno eso es ruido distinto en cada máquina.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "w") as silence:
        os.dup2(silence.fileno(), 2)
        try:
            import tensorflow as tf

            # Avisa de que cada red compila su propia función, que es lo que se pretende.
            tf.get_logger().setLevel("ERROR")
        finally:
            os.dup2(saved, 2)
            os.close(saved)


# Donde no se puede escribir en la carpeta personal, matplotlib, que Keras importa, avisa de que usa otra.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
_import_tensorflow_quietly()
# En un cuaderno, tqdm pide ipywidgets, que no hacen falta.
warnings.filterwarnings("ignore", message="IProgress not found")

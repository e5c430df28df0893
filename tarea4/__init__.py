"""Dos redes pequeñas de Keras sobre MNIST: datos, modelos, entrenamiento, evaluación y estadística de la Tarea 4.

``from tarea4 import load, plain, train_seeds`` trae lo público; cada nombre se importa cuando se pide, así que importar
el paquete no carga TensorFlow.
"""

import importlib
import logging
import os
import sys
import warnings
from importlib.machinery import PathFinder

__version__ = "1.0.0"

PUBLIC = {
    "data": "Dataset load pooled stratified",
    "models": "plain printed_variant q4_answer regularised try_01 try_02",
    "training": "Run Training train train_all train_seeds",
    "evaluation": "best_model confident_errors confusion evaluate predict reaching results validation_results "
    "worst_confusions",
    "statistics": "calibration compare expected_minimum mcnemar mean_interval paired_difference prediction_interval",
}
HOME = {name: f"tarea4.{module}" for module, names in PUBLIC.items() for name in names.split()}


def __getattr__(name: str):
    if name not in HOME:
        raise AttributeError(f"tarea4 no tiene {name!r}.")
    return getattr(importlib.import_module(HOME[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *HOME]


class _QuietTensorFlow:
    """Importa TensorFlow con el descriptor 2 desviado, venga la importación de donde venga.

    Escribe en él desde C++ (oneDNN, CUDA, identificadores de proceso) antes de atender a TF_CPP_MIN_LOG_LEVEL; en la
    salida de un cuaderno eso es ruido distinto en cada máquina.
    """

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "tensorflow" or not (spec := PathFinder.find_spec(name, path)):
            return None
        execute = spec.loader.exec_module

        def quietly(module):
            sys.stderr.flush()
            saved, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(silence, 2)
                execute(module)
            finally:
                os.dup2(saved, 2)
                os.close(saved)
                os.close(silence)

        spec.loader.exec_module = quietly
        return spec


sys.meta_path.insert(0, _QuietTensorFlow)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow avisa de que cada red compila su propia función, que es lo que se pretende; matplotlib, que Keras importa,
# de que usa otra carpeta donde la personal no se puede escribir; y tqdm pide ipywidgets, que no hacen falta.
for noisy in ("tensorflow", "matplotlib"):
    logging.getLogger(noisy).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="IProgress not found")

"""El orden de las imágenes: lo que cambia entrenar con `fit` de Keras en el mismo orden cada época, o en otro."""

import time
from dataclasses import dataclass

import keras
import tensorflow as tf

from tarea4.data import Dataset
from tarea4.training import Run, Training

ORDERS = ("fit, orden fijo", "fit, orden nuevo", "este libro")


@dataclass(frozen=True)
class KerasFit(Training):
    """Un entrenamiento con `fit`, tras `keras.utils.set_random_seed`, y no con la función de este libro.

    Con arrays y la semilla puesta, Keras 3 presenta las imágenes en el mismo orden en todas las épocas; con
    `reshuffled`, las toma de un `tf.data.Dataset` que las baraja en cada una.
    https://keras.io/api/utils/python_utils/#setrandomseed-function
    """

    reshuffled: bool = False

    def fit(self, data: Dataset, seed: int) -> Run:
        """Entrena una copia del molde desde cero: los mismos pesos iniciales que en `tarea4.training.train`."""
        keras.utils.set_random_seed(seed)
        start = time.perf_counter()
        model = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(self.model))
        train, val = (keras.utils.to_categorical(y, data.n_classes) for y in (data.y_train, data.y_val))
        images = data.x_train, train
        if self.reshuffled:
            images = (tf.data.Dataset.from_tensor_slices(images).shuffle(len(data.x_train)).batch(self.batch_size),)
        best = keras.callbacks.EarlyStopping("val_loss", patience=self.epochs, restore_best_weights=True)
        history = model.fit(
            *images, batch_size=None if self.reshuffled else self.batch_size, shuffle=not self.reshuffled,
            epochs=self.epochs, validation_data=(data.x_val, val), callbacks=[best], verbose=0,
        )  # fmt: skip
        return Run(model, seed, history.history, time.perf_counter() - start)

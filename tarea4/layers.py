"""Piezas de Keras que se pueden compilar dentro de una época entera: ruido, dropout y penalizaciones.

En una CPU, XLA tarda en sortear los números de Keras decenas de veces más que en entrenar. Las capas de azar de este
módulo los calculan a partir de dos claves que `tarea4.training` cambia en cada paso: cada unidad del lote recibe una
función de mezcla de su posición y de las claves, a la vez que se calcula la capa. Sin claves (`fit`, `predict`) son las
de Keras.
"""

import math

import keras
import tensorflow as tf


class Keyed:
    """Capa de azar que admite claves; `strength` es el nombre de su atributo numérico."""

    strength: str
    keys: tf.Tensor | None = None  # dos enteros uint32

    def uniform(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Uniformes de (0, 1), nunca 0 ni 1: de 23 bits más medio, que caben exactos en float32."""
        position = tf.cast(tf.range(math.prod(shape)), tf.uint32)
        bits = _mix(_mix(position + self.keys[0]) ^ self.keys[1])
        return tf.reshape(tf.cast(_shift(bits, 9), "float32") * 2.0**-23 + 2.0**-24, shape)


def _mix(bits: tf.Tensor) -> tf.Tensor:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ _shift(bits, shift)) * tf.constant(factor, tf.uint32)
    return bits ^ _shift(bits, 16)


def _shift(bits: tf.Tensor, places: int) -> tf.Tensor:
    return tf.bitwise.right_shift(bits, tf.constant(places, tf.uint32))


@keras.saving.register_keras_serializable("tarea4")
class Dropout(Keyed, keras.layers.Dropout):
    """Dropout de Keras que admite claves: anula una fracción `rate` de las unidades y escala las demás.

    References
    ----------
    N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    A. Appleby, "MurmurHash3", 2011: la mezcla final de 32 bits.
    https://keras.io/api/layers/regularization_layers/dropout/
    """

    strength = "rate"

    def call(self, inputs, training=False):
        if not training or self.keys is None:
            return super().call(inputs, training=training)
        kept = self.uniform(inputs.shape) >= self.rate
        return tf.where(kept, inputs / tf.cast(1 - self.rate, inputs.dtype), 0)


@keras.saving.register_keras_serializable("tarea4")
class GaussianNoise(Keyed, keras.layers.GaussianNoise):
    """Ruido gaussiano de Keras que admite claves: suma a cada unidad una normal de desviación `stddev`.

    References
    ----------
    M. Giles, "Approximating the erfinv function", 2011: la que usa XLA.
    https://keras.io/api/layers/regularization_layers/gaussian_noise/
    """

    strength = "stddev"

    def call(self, inputs, training=False):
        if not training or self.keys is None:
            return super().call(inputs, training=training)
        # La inversa de la distribución normal: cuatro veces más rápida aquí que Box-Muller.
        normal = math.sqrt(2) * tf.math.erfinv(2 * self.uniform(inputs.shape) - 1)
        return inputs + tf.cast(self.stddev * normal, inputs.dtype)


@keras.saving.register_keras_serializable("tarea4")
class ActivityPenalty(keras.regularizers.L1L2):
    """Regularizador l1 y l2 de la activación de una capa: ``l1 * sum(|h|) + l2 * sum(h ** 2)``.

    Es el `L1L2` de Keras con los dos términos a la vista en `terms` y con alfas que pueden ser tensores. Desde la
    versión 3.14, Keras divide la penalización entre el tamaño del lote: alfa multiplica a la media por imagen.

    References
    ----------
    https://keras.io/api/layers/regularizers/
    """

    terms: tuple[tf.Tensor, tf.Tensor] | None = None

    def __call__(self, x):
        self.terms = (self.l1 * tf.reduce_sum(tf.abs(x)), self.l2 * tf.reduce_sum(tf.square(x)))
        return self.terms[0] + self.terms[1]

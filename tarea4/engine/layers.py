"""Las capas que el motor pone en su copia de una red, y cómo las pone: densas, ruido, dropout y penalizaciones.

En una CPU, XLA tarda en sortear los números de Keras decenas de veces más que en entrenar. Las capas de azar de este
módulo los calculan a partir de dos claves que el motor cambia en cada paso: cada unidad del lote recibe una función de
mezcla de su posición y de las claves, a la vez que se calcula la capa.
"""

import json
import math

import keras
import tensorflow as tf
from tensorflow.bitwise import right_shift
from tensorflow.compiler.tf2xla.python import xla

NARROW = 100  # unidades: con más, trasponer cuesta más de lo que ahorra
NORMAL = (0.9677519, 0.00400187, 0.0019047)  # mínimos cuadrados entre cuantiles, ponderados por su probabilidad


class Keyed:
    """Capa de azar con claves: dos enteros uint32."""

    keys: tf.Tensor

    def bits(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Enteros de 32 bits al azar, uno por unidad, como los de SplitMix (Steele, Lea y Flood, OOPSLA 2014)."""
        bits = tf.cast(tf.range(math.prod(shape)), tf.uint32) * (2 * self.keys[1] + 1) + self.keys[0]
        for places, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):  # la mezcla final de MurmurHash3 (Appleby, 2011)
            bits = (bits ^ right_shift(bits, places)) * factor
        return tf.reshape(bits ^ right_shift(bits, 16), shape)


class Dense(keras.layers.Dense):
    """Capa densa con el gradiente como XLA lo calcula antes en una CPU si es estrecha: ``g.T @ x``, no ``x.T @ g``."""

    def call(self, inputs, training=False):
        if not (training and self.units <= NARROW and len(inputs.shape) == 2):
            return super().call(inputs, training=training)
        outputs = _product(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(outputs if self.bias is None else outputs + self.bias)


@tf.custom_gradient
def _product(x, kernel):
    def gradient(g):
        # Sin la barrera, XLA deshace la transposición.
        (transposed,) = xla.optimization_barrier(tf.matmul(g, x, transpose_a=True))
        return tf.matmul(g, kernel, transpose_b=True), tf.transpose(transposed)

    return tf.matmul(x, kernel), gradient


class Dropout(Keyed, keras.layers.Dropout):
    """Dropout con claves: anula una fracción `rate` de las unidades y escala las demás (Srivastava et al., 2014)."""

    def call(self, inputs, training=False):
        if not training:
            return inputs
        uniform = tf.cast(right_shift(self.bits(inputs.shape), 8), "float32") * 2.0**-24  # 24 bits: exactos en float32
        return tf.where(uniform >= self.rate, inputs / tf.cast(1 - self.rate, inputs.dtype), 0)


class GaussianNoise(Keyed, keras.layers.GaussianNoise):
    """Ruido gaussiano con claves: suma a cada unidad una normal de desviación `stddev`.

    La normal es un polinomio de la suma de los cuatro bytes de un entero al azar (Teichroew, 1953; en Knuth, "The art
    of computer programming", 3.4.1): su función de distribución se aparta menos de 0.001 de la exacta, que XLA tarda
    seis veces más en calcular.
    """

    def call(self, inputs, training=False):
        if not training:
            return inputs
        bits = self.bits(inputs.shape)
        pairs = (bits & 0x00FF00FF) + (right_shift(bits, 8) & 0x00FF00FF)
        total = tf.cast((pairs & 0xFFFF) + right_shift(pairs, 16), "float32")
        z = (total - 4 * 127.5) / math.sqrt(4 * (2**16 - 1) / 12)  # de media 0 y varianza 1
        square = z * z
        normal = z * (NORMAL[0] + square * (NORMAL[1] + square * NORMAL[2]))
        return inputs + tf.cast(self.stddev * normal, inputs.dtype)


class ActivityPenalty(keras.regularizers.L1L2):
    """El `L1L2` de Keras con sus dos términos a la vista, por lote, y con alfas que pueden ser tensores."""

    terms: tuple[tf.Tensor, tf.Tensor]

    def __call__(self, x):
        self.terms = (self.l1 * tf.reduce_sum(tf.abs(x)), self.l2 * tf.reduce_sum(tf.square(x)))
        return self.terms[0] + self.terms[1]


OURS = {f"tarea4>{kind.__name__}": kind for kind in (Dense, Dropout, GaussianNoise, ActivityPenalty)}
STRENGTHS = {
    **dict.fromkeys((keras.layers.Dropout, Dropout), "rate"),
    **dict.fromkeys((keras.layers.GaussianNoise, GaussianNoise), "stddev"),
}
PENALTIES = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2, ActivityPenalty)


def noisy(model: keras.Sequential) -> list[keras.layers.Layer]:
    """Las capas de dropout y de ruido de una red, sea suya o del motor."""
    return [layer for layer in model.layers if type(layer) in STRENGTHS]


def penalties(model: keras.Sequential) -> list[keras.regularizers.Regularizer]:
    """Las penalizaciones l1 y l2 de la activación de sus capas, donde son una opción de la capa."""
    layers = [layer for layer in model.layers if type(layer) is not keras.layers.ActivityRegularization]
    return [layer.activity_regularizer for layer in layers if type(layer.activity_regularizer) in PENALTIES]


def check(model: keras.Sequential) -> None:
    """ValueError si hay algo que el motor entrenaría como si no estuviera: otras capas de azar, o pesos promediados."""
    for layer in model.layers:
        draws = len(layer.variables) > len(layer.weights)  # la diferencia son las semillas de Keras
        if draws and (type(layer) not in STRENGTHS or getattr(layer, "noise_shape", None)):
            raise ValueError(
                f"model: la capa {layer.name}, de tipo {type(layer).__name__}, sortea números, y de esas se admiten "
                "Dropout, sin noise_shape, y GaussianNoise; con ella, entrena con fit."
            )
    if model.optimizer.use_ema:
        raise ValueError("model: el optimizador tiene use_ema=True y se admite False; con él, entrena con fit.")


def template(model: keras.Sequential) -> str:
    """La red en JSON, con las capas del motor y sin los números que la función compilada recibe como argumento.

    Dos redes con el mismo texto comparten su función compilada.
    """
    config = keras.saving.serialize_keras_object(model)
    nodes = [node for node in config["config"]["layers"] if node["class_name"] != "InputLayer"]
    penalised = penalties(model)
    for layer, node in zip(model.layers, nodes, strict=True):
        kind, settings = type(layer), node["config"]
        if kind in STRENGTHS:
            settings[STRENGTHS[kind]] = 0.0
        if kind in STRENGTHS or kind is keras.layers.Dense:
            node["registered_name"] = f"tarea4>{kind.__name__}"
        if layer.activity_regularizer in penalised:
            name = {"class_name": "ActivityPenalty", "registered_name": "tarea4>ActivityPenalty"}
            settings["activity_regularizer"] |= name | {"config": {"l1": 0.0, "l2": 0.0}}
    return json.dumps(config)


def build(template: str) -> keras.Sequential:
    """La red de `template`, compilada."""
    return keras.saving.deserialize_keras_object(json.loads(template), custom_objects=OURS)

"""Una época entera en una sola función compilada con XLA, y la evaluación que la sigue."""

import copy
import functools
import time

import keras
import numpy as np
import tensorflow as tf

from tarea4.data import Dataset
from tarea4.engine.layers import STRENGTHS, build, check, noisy, penalties, template


class Engine:
    """La época y la evaluación de una red, compiladas; sirven, también a la vez, para todas las redes como ella."""

    def __init__(self, model: keras.Sequential, n_train: int, batch_size: int):
        self.model = _with_state(model)
        self.noisy, self.penalties = noisy(model), penalties(model)
        self.batch_shape = (-(-n_train // batch_size), batch_size)
        x, y, number = model.input_shape[1:], model.output_shape[1:], tf.TensorSpec(())
        order = tf.TensorSpec(self.batch_shape, tf.int32)
        keys = tf.TensorSpec((self.batch_shape[0], len(self.noisy), 2), tf.uint32)
        strengths, alphas = [number] * len(self.noisy), [(number, number)] * len(self.penalties)
        self.run_epoch = tf.function(self._run_epoch, jit_compile=True, autograph=False).get_concrete_function(
            tf.TensorSpec((n_train, *x)), tf.TensorSpec((n_train, *y)), order, keys, strengths, alphas
        )
        self.evaluate = tf.function(self._evaluate, autograph=False).get_concrete_function(
            tf.TensorSpec((None, *x)), tf.TensorSpec((None, *y)), alphas
        )

    def _run_epoch(self, x, y, order, keys, strengths, alphas):
        self._set_alphas(alphas)
        for layer, strength in zip(self.noisy, strengths, strict=True):
            setattr(layer, STRENGTHS[type(layer)], strength)

        def step(i):
            for k, layer in enumerate(self.noisy):
                layer.keys = keys[i, k]
            self.model.train_step((tf.gather(x, order[i]), tf.gather(y, order[i])))
            return (i + 1,)

        tf.while_loop(lambda i: i < order.shape[0], step, (0,))

    def _evaluate(self, x, y, alphas):
        self._set_alphas(alphas)
        outputs = self.model(x, training=False)
        loss = tf.reduce_mean(keras.losses.get(self.model.loss)(y, outputs))
        hits = tf.equal(tf.argmax(outputs, axis=-1), tf.argmax(y, axis=-1))
        terms = tf.reduce_sum([penalty.terms for penalty in self.penalties], axis=0) if self.penalties else tf.zeros(2)
        return loss, tf.reduce_mean(tf.cast(hits, tf.float32)), terms / tf.cast(tf.shape(x)[0], tf.float32)

    def _set_alphas(self, alphas):
        for penalty, (l1, l2) in zip(self.penalties, alphas, strict=True):
            penalty.l1, penalty.l2 = l1, l2

    def train(self, model, tensors, seed, label, *, epochs, evaluated, callbacks, augment=None):
        """Entrena `model`, una red como la compilada, desde sus pesos, y devuelve la historia por época."""
        rng = np.random.default_rng(seed)
        one_epoch = self._on(_with_state(model), tensors, evaluated, augment)
        callbacks = keras.callbacks.CallbackList(callbacks, add_history=True, model=model, epochs=epochs)
        callbacks.on_train_begin()
        for epoch in range(epochs):
            callbacks.on_epoch_begin(epoch)
            logs = one_epoch(rng)
            callbacks.on_epoch_end(epoch, logs)
            if not np.isfinite([logs["loss"], logs["val_loss"]]).all():
                raise FloatingPointError(
                    f"La pérdida de la {label} dejó de ser un número finito en la época {epoch + 1}; "
                    "suele deberse a una tasa de aprendizaje, o a alfas, demasiado grandes."
                )
            if model.stop_training:
                break
        callbacks.on_train_end()
        return model.history.history

    def _on(self, model, tensors, evaluated, augment):
        """Devuelve la función que corre una época de `model`, con sus tasas y sus alfas, y da lo medido."""
        own = {id(old.handle): new.handle for old, new in zip(*map(_variables, (self.model, model)), strict=True)}
        strengths = [tf.constant(float(getattr(layer, STRENGTHS[type(layer)]))) for layer in noisy(model)]
        alphas = [tuple(tf.constant(float(getattr(p, name, 0.0))) for name in ("l1", "l2")) for p in penalties(model)]
        functions = [copy.copy(function) for function in (self.run_epoch, self.evaluate)]
        for function in functions:  # las mismas, sobre otras variables, todas suyas: no se compilan otra vez
            function.set_external_captures([own[id(capture)] for capture in function.captured_inputs])
        run_epoch, evaluate = functions

        def one_epoch(rng: np.random.Generator) -> dict[str, float]:
            start = time.perf_counter()
            x, y = tensors["train"]
            x = augment(x, rng) if augment else x
            order = np.resize(rng.permutation(len(x)), self.batch_shape).astype("int32")
            keys = rng.integers(2**32, size=(len(order), len(self.noisy), 2), dtype="uint32")
            model.reset_metrics()
            run_epoch(x, y, tf.constant(order), tf.constant(keys), strengths, alphas)
            logs = {name: float(value) for name, value in model.get_metrics_result().items()}
            for split in evaluated:
                loss, accuracy, penalties = evaluate(*tensors[split], alphas)
                logs |= {f"{split}_loss": float(loss), f"{split}_accuracy": float(accuracy)}
                if split == "train":
                    logs |= {"l1": float(penalties[0]), "l2": float(penalties[1])}
            return logs | {"seconds": time.perf_counter() - start}

        return one_epoch


def compiled(model: keras.Sequential, n_train: int, batch_size: int) -> Engine:
    """El motor de las redes como `model`, ya compilado si lo hubo; ValueError si no sabe entrenarla."""
    check(model)
    return _engine(template(model), n_train, min(batch_size, n_train))


@functools.lru_cache(maxsize=16)
def _engine(template: str, n_train: int, batch_size: int) -> Engine:
    return Engine(build(template), n_train, batch_size)


def _with_state(model: keras.Sequential) -> keras.Sequential:
    """La misma red, con las variables de su optimizador y de sus métricas, que no pueden nacer al compilar."""
    model.optimizer.build(model.trainable_variables)
    model.test_step((tf.zeros((1, *model.input_shape[1:])), tf.one_hot([0], model.output_shape[-1])))
    return model


def _variables(model: keras.Sequential) -> list[tf.Variable]:
    measured = [variable for metric in model.metrics for variable in metric.variables]
    return [variable.value for variable in (*model.weights, *model.optimizer.variables, *measured)]


def as_tensors(data: Dataset, split: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Imágenes y etiquetas, una por clase, de una partición: "train", "val" o "test"."""
    labels = tf.one_hot(getattr(data, f"y_{split}"), data.n_classes)
    return tf.constant(getattr(data, f"x_{split}")), labels

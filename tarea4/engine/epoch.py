"""Una época entera en una sola función compilada con XLA, y la evaluación que la sigue."""

import copy
import functools
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tarea4.engine.layers import STRENGTHS, build, check, noisy, penalties, template

BLOCK = 1000  # imágenes de entrenamiento que se evalúan juntas: sus activaciones caben en la caché del procesador


class Engine:
    """La época y la evaluación de una red, compiladas; sirven, también a la vez, para todas las redes como ella."""

    def __init__(self, template: str, n_train: int, batch_size: int):
        self.model = model = _with_state(build(template))
        self.noisy, self.penalties = noisy(model), penalties(model)
        self.n_train, self.batch_shape = n_train, (-(-n_train // batch_size), batch_size)
        x, y, number = model.input_shape[1:], model.output_shape[1:], tf.TensorSpec(())
        order = tf.TensorSpec(self.batch_shape, tf.int32)
        keys = tf.TensorSpec((self.batch_shape[0], len(self.noisy), 2), tf.uint32)
        strengths, alphas = [number] * len(self.noisy), [(number, number)] * len(self.penalties)
        train, val = (tf.TensorSpec((n_train, *x)), tf.TensorSpec((n_train, *y))), tf.TensorSpec((None, *x))
        self.functions = {
            "epoch": _function(self._run_epoch, *train, order, keys, strengths, alphas, xla=True),
            "train": _function(self._evaluate_blocks, *train, alphas, xla=True),
            # Validan diez veces menos imágenes que entrenan: compilar esta tarda más de lo que ahorra.
            "val": _function(self._evaluate, val, tf.TensorSpec((None, *y)), alphas, xla=False),
        }

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
        return [total / tf.cast(tf.shape(x)[0], tf.float32) for total in self._totals(x, y)]

    def _evaluate_blocks(self, x, y, alphas):
        self._set_alphas(alphas)
        size = min(BLOCK, self.n_train)
        whole, rest = divmod(self.n_train, size)

        def add(i, totals):
            block = self._totals(*(tf.slice(each, (i * size, 0), (size, each.shape[1])) for each in (x, y)))
            return i + 1, [a + b for a, b in zip(totals, block, strict=True)]

        totals = self._totals(x[self.n_train - rest :], y[self.n_train - rest :])
        _, totals = tf.while_loop(lambda i, _: i < whole, add, (0, totals))
        return [total / self.n_train for total in totals]

    def _totals(self, x, y):
        """Pérdida, aciertos y penalizaciones l1 y l2, sumados."""
        outputs = self.model(x, training=False)
        loss = tf.reduce_sum(keras.losses.get(self.model.loss)(y, outputs))
        hits = tf.equal(tf.argmax(outputs, axis=-1), tf.argmax(y, axis=-1))
        terms = [tf.add_n(each) for each in zip(*(penalty.terms for penalty in self.penalties), strict=True)]
        return [loss, tf.reduce_sum(tf.cast(hits, tf.float32)), *(terms or [tf.constant(0.0)] * 2)]

    def _set_alphas(self, alphas):
        for penalty, (l1, l2) in zip(self.penalties, alphas, strict=True):
            penalty.l1, penalty.l2 = l1, l2

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Lo que una época toma al azar: el orden de las imágenes, por lotes, y dos claves por paso y capa de azar."""
        order = np.resize(rng.permutation(self.n_train), self.batch_shape).astype("int32")
        return order, rng.integers(2**32, size=(len(order), len(self.noisy), 2), dtype="uint32")

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
        functions = {name: copy.copy(function) for name, function in self.functions.items()}
        for function in functions.values():  # las mismas, sobre otras variables, todas suyas: no se compilan otra vez
            captures = function.captured_inputs
            function.set_external_captures([own[id(c)] if c.dtype == tf.resource else c for c in captures])

        def one_epoch(rng: np.random.Generator) -> dict[str, float]:
            start = time.perf_counter()
            x, y = tensors["train"]
            x = augment(x, rng) if augment else x
            model.reset_metrics()
            functions["epoch"](x, y, *map(tf.constant, self.draw(rng)), strengths, alphas)
            logs = {name: float(value) for name, value in model.get_metrics_result().items()}
            for split in evaluated:
                loss, accuracy, l1, l2 = map(float, functions[split](*tensors[split], alphas))
                logs |= {f"{split}_loss": loss, f"{split}_accuracy": accuracy}
                logs |= {"l1": l1, "l2": l2} if split == "train" else {}
            return logs | {"seconds": time.perf_counter() - start}

        return one_epoch


def _function(body: Callable, *signature, xla: bool) -> tf.types.experimental.ConcreteFunction:
    return tf.function(body, jit_compile=xla, autograph=False).get_concrete_function(*signature)


_engine = functools.lru_cache(maxsize=16)(Engine)


def compiled(model: keras.Sequential, n_train: int, batch_size: int) -> Engine:
    """El motor de las redes como `model`, ya compilado si lo hubo; ValueError si no sabe entrenarla."""
    check(model)
    return _engine(template(model), n_train, min(batch_size, n_train))


def _with_state(model: keras.Sequential) -> keras.Sequential:
    """La misma red, con las variables de su optimizador y de sus métricas, que no pueden nacer al compilar."""
    model.optimizer.build(model.trainable_variables)
    model.test_step((tf.zeros((1, *model.input_shape[1:])), tf.one_hot([0], model.output_shape[-1])))
    return model


def _variables(model: keras.Sequential) -> list[tf.Variable]:
    return [each.value for each in (*model.weights, *model.optimizer.variables, *model.metrics_variables)]

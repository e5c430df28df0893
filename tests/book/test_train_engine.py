"""«Entrena tú», el motor: calcula como Keras, sortea como se dice, y sus datos son los que se dice."""

import base64

import keras
import numpy as np
import pack_digits
import pytest
import tensorflow as tf

from tarea4.models import plain, regularised

ALPHAS = {"alpha_l1": 3e-2, "alpha_l2": 2e-2}  # mil millones de veces las de 2020: si falta un término, se nota
NETWORKS = {
    "simple": (lambda: plain((12, 9, 7)), {"sizes": [12, 9, 7], "normalise": False, "l1": 0, "l2": 0}),
    "regularizada": (
        lambda: regularised((12, 9, 7), dropout=0.0, l1_layer=-2, **ALPHAS),
        {"sizes": [12, 9, 7], "normalise": True, "l1": 3e-2, "l2": 2e-2},
    ),
    "de una capa": (
        lambda: regularised((12,), dropout=0.0, **ALPHAS),
        {"sizes": [12], "normalise": True, "l1": 3e-2, "l2": 2e-2},
    ),
}
COMMON = {"dropout": 0, "rate": 1e-3, "epochs": 3, "images": 500, "seed": 7}
# Deja en la página un motor y una red con los pesos dados, y da unos pasos de Adam con un lote.
STEPS = """([settings, weights, x, labels, steps]) => {
  const engine = makeEngine(), net = engine.build(settings), n = labels.length, batch = Float64Array.from(x.flat());
  engine.weights(net).forEach((value, k) => value.set(weights[k].flat()));
  const { loss, penalty } = engine.forward(net, batch, labels, n, true);
  engine.backward(net, batch, labels, n);
  const gradients = net.parameters.map(({ gradient }) => [...gradient]);
  for (let k = 0; k < steps; k++) {
    if (k) engine.forward(net, batch, labels, n, true), engine.backward(net, batch, labels, n);
    engine.adam(net, 1e-3);
  }
  const after = engine.forward(net, batch, labels, n, false);
  const weightsNow = engine.weights(net).map((value) => [...value]);
  return { loss: loss + penalty, gradients, weights: weightsNow, after: after.loss };
}"""
# Entrena con el motor de la página, sin sus botones, y da lo que cuenta al acabar, los pesos iniciales y los órdenes.
TRAIN = """async (settings) => {
  const data = await loadDigits(), engine = makeEngine(), order = engine.random(settings.seed, engine.USES.order);
  const start = engine.weights(engine.build(settings)).map((value) => [...value]);
  const orders = Array.from({ length: settings.epochs }, () => [...engine.permutation(settings.images, order)]);
  const result = await new Promise((resolve) => {
    const command = makeTrainer(engine, (message) => message.kind === "done" && resolve(message.result));
    command({ command: "data", data });
    command({ command: "start", settings });
  });
  return { start, orders, history: result.history, test: result.test, bestEpoch: result.bestEpoch };
}"""


@pytest.fixture
def doubles(digits):
    """Keras en doble precisión, como la página, y las imágenes de entrenar y validar: no difieren en el redondeo."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield [np.rint(15 * x.astype("float64")) / 15 for x in (digits.x_train, digits.x_val)]
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def keras_weights(model):
    """Los pesos, en el orden de la página: los que se entrenan y, después, las medias de la normalización."""
    return [*model.trainable_variables, *model.non_trainable_variables]


@pytest.mark.parametrize("name", NETWORKS)
def test_one_batch_agrees_with_keras(name, trainer, digits, doubles):
    """Pérdida, gradientes, medias móviles y pesos tras tres pasos de Adam: los de Keras, a menos de 1e-7."""
    make, settings = NETWORKS[name]
    model, rng = make(), np.random.default_rng(1)
    for variable in model.trainable_variables:  # también los sesgos, gamma y beta, que nacen iguales para todas
        variable.assign(variable + rng.uniform(-0.2, 0.2, variable.shape))
    x, labels = doubles[0][:100], digits.y_train[:100]
    y = np.eye(10)[labels]
    start = [variable.numpy().tolist() for variable in keras_weights(model)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, model(x, training=True))) + sum(model.losses)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    for variable, value in zip(keras_weights(model), start, strict=True):  # la llamada ya movió las medias
        variable.assign(value)
    for _ in range(3):
        model.train_on_batch(x, y)
    after = tf.reduce_mean(keras.losses.categorical_crossentropy(y, model(x, training=False)))
    ours = trainer.evaluate(STEPS, [settings, start, x.tolist(), labels.tolist(), 3])
    assert ours["loss"] == pytest.approx(float(loss), abs=1e-7)
    for mine, theirs in zip(ours["gradients"], gradients, strict=True):
        np.testing.assert_allclose(mine, np.ravel(theirs), atol=1e-7)
    assert np.abs(np.concatenate([np.ravel(each) for each in gradients])).max() > 0.01
    for mine, theirs in zip(ours["weights"], keras_weights(model), strict=True):
        np.testing.assert_allclose(mine, np.ravel(theirs), atol=1e-7)
    assert ours["after"] == pytest.approx(float(after), abs=1e-7)


@pytest.mark.parametrize("name", ["simple", "regularizada"])
def test_curves_agree_with_keras(name, trainer, digits, doubles):
    """Desde los mismos pesos y con los mismos lotes, sin dropout, las curvas de 10 épocas son las de Keras, a 1e-5."""
    make, settings = NETWORKS[name]
    ours = trainer.evaluate(TRAIN, COMMON | settings | {"epochs": 10, "images": 2000})
    (x, x_val), y, model = doubles, np.eye(10)[digits.y_train], make()
    for variable, value in zip(keras_weights(model), ours["start"], strict=True):
        variable.assign(np.reshape(value, variable.shape))
    for order, measured in zip(ours["orders"], ours["history"], strict=True):
        for rows in np.resize(order, (16, 128)):
            model.train_on_batch(x[rows], y[rows])
        outputs = model.predict(x_val, verbose=0)
        loss = -np.mean(np.log(outputs[np.arange(len(x_val)), digits.y_val]))
        assert measured["val_loss"] == pytest.approx(loss, abs=1e-5)
        assert measured["val_accuracy"] == pytest.approx(np.mean(outputs.argmax(axis=1) == digits.y_val), abs=1e-3)
    assert ours["history"][-1]["val_loss"] < 0.8 * ours["history"][0]["val_loss"]


def test_initial_weights_and_orders(trainer):
    """Los pesos nacen con la uniforme de Glorot; cada época y cada semilla usan todas las imágenes en otro orden."""
    read = "(seed) => makeEngine().build({ ...initialSettings(), seed }).layers.map(({ kernel }) => [...kernel.value])"
    kernels, others = trainer.evaluate(read, 0), trainer.evaluate(read, 1)
    for kernel, other, (inputs, units) in zip(
        kernels, others, [(784, 40), (40, 50), (50, 15), (15, 15), (15, 10)], strict=True
    ):
        limit = np.sqrt(6 / (inputs + units))
        assert 0.95 * limit < np.abs(kernel).max() <= limit
        assert np.std(kernel) == pytest.approx(limit / np.sqrt(3), rel=0.12)
        assert not np.array_equal(kernel, other)
    draw = """([seed, n]) => {
      const engine = makeEngine(), random = engine.random(seed, engine.USES.order);
      return [0, 1].map(() => [...engine.permutation(n, random)]);
    }"""
    (first, second), (other, _) = (trainer.evaluate(draw, [seed, 300]) for seed in (0, 1))
    for order in (first, second, other):
        assert sorted(order) == list(range(300))
    assert first != second
    assert first != other


def test_dropout_drops_and_scales(trainer):
    """El dropout anula la fracción pedida de los píxeles con tinta, en cada imagen otros, y escala los demás."""
    gather = """async (rate) => {
      const { train } = await loadDigits(), engine = makeEngine(), x = engine.reals(100 * engine.PIXELS);
      const rows = Uint32Array.from({ length: 100 }, (_, k) => k), draw = engine.random(0, engine.USES.dropout);
      engine.gather(train, rows, x, new Uint8Array(100), rate, draw);
      return [...x];
    }"""
    x, dropped = (np.reshape(trainer.evaluate(gather, rate), (100, 784)) for rate in (0, 0.3))
    kept = dropped[x > 0] > 0
    assert kept.mean() == pytest.approx(0.7, abs=0.02)
    np.testing.assert_allclose(dropped[x > 0][kept], x[x > 0][kept] / 0.7)
    assert not dropped[x == 0].any()
    masks = [tuple(row[pixels][:50] > 0) for row, pixels in zip(dropped, x > 0, strict=True)]
    assert len(set(masks)) == 100


def test_packed_images(site, trainer, digits):
    """Lo empaquetado cabe en 1,6 MB, nombra la licencia y es lo que dice: imágenes del informe a 4 bits."""
    path = site / "entrenador" / "digitos.js"
    assert path.stat().st_size <= 1_600_000
    assert "CC BY-SA 3.0" in path.read_text("utf-8")[:400]
    read = """async (split) => {
      const { images, labels } = (await loadDigits())[split], reader = new FileReader();
      reader.readAsDataURL(new Blob([images]));  // una lista de millones de números tarda minutos en llegar
      await new Promise((resolve) => (reader.onload = resolve));
      return [reader.result.split(",")[1], [...labels]];
    }"""
    for split in ("train", "val", "test"):
        images, labels = trainer.evaluate(read, split)
        images = np.frombuffer(base64.b64decode(images), np.uint8)
        np.testing.assert_array_equal(labels, getattr(digits, f"y_{split}"))
        np.testing.assert_allclose(images / 15, getattr(digits, f"x_{split}").ravel(), atol=1e-6)


def test_published_curves_show_what_q1_says(trainer, digits):
    """En lo publicado, la pérdida de validación de la simple sube mucho tras su mínimo; la de la regularizada, poco."""
    curves = trainer.evaluate("PUBLISHED.curves")
    assert set(curves) == set(pack_digits.NETWORKS)
    rise = {}
    for name, by_size in curves.items():
        assert set(map(int, by_size)) == set(pack_digits.SUBSETS)
        values = by_size["6000"]["val_loss"]["mean"]
        assert len(values) == pack_digits.EPOCHS
        rise[name] = values[-1] / min(values)
    assert rise["Try 01"] > 1.25
    assert rise["Try 02"] < 1.15
    text = trainer.locator(".lo-publicado").inner_text()
    for by_size in curves.values():
        assert f"{min(by_size['6000']['val_loss']['mean']):.3f}".replace(".", ",") in text


def test_published_curves_come_from_these_images(trainer, digits):
    """Un entrenamiento nuevo de una semilla cae, con holgura, en la franja publicada de 500 imágenes."""
    run = pack_digits.train_all(
        {"": pack_digits.Training(pack_digits.try_01(), 10)}, pack_digits.first(digits, 500), [0]
    )[""][0]
    band = trainer.evaluate("PUBLISHED.curves['Try 01'][500].val_loss")
    values = np.array(run.history["val_loss"])
    assert (values >= np.array(band["low"][:10]) - 0.02).all()
    assert (values <= np.array(band["high"][:10]) + 0.02).all()


def test_a_broken_loss_is_told(trainer):
    """Si la pérdida deja de ser un número, el entrenamiento acaba y dice en qué época."""
    code = """async () => {
      const engine = { ...makeEngine(), adam: (net) => net.parameters[0].value.fill(NaN) }, data = await loadDigits();
      return new Promise((resolve) => {
        const command = makeTrainer(engine, (message) => message.kind === "done" && resolve(message.result.broken));
        command({ command: "data", data });
        command({ command: "start", settings: { ...initialSettings(), images: 500 } });
      });
    }"""
    assert trainer.evaluate(code) == 1
    trainer.evaluate("begin([0])")
    trainer.wait_for_function("work?.data")
    trainer.evaluate("hear({ kind: 'done', seconds: 1, result: { broken: 4, history: [] } })")
    assert "En la época 4 la pérdida dejó de ser un número" in trainer.locator(".estado").inner_text()
    assert trainer.get_by_role("button", name="Entrenar").is_visible()

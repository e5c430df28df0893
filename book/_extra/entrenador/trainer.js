// «Entrena tú», el entrenamiento: épocas en rebanadas cortas, con pausa, y lo que se mide en cada una.
// Corre en un obrero o, donde no lo hay, en la propia página.
function makeTrainer(engine, post) {
  const SLICE = 50; // milisegundos seguidos: después se atiende a lo demás
  const x = engine.reals(engine.BATCH * engine.PIXELS), y = new Uint8Array(engine.BATCH);
  let data, job = null, spent = 0, paused = false, wanted = false; // `job` es el entrenamiento en curso, un generador

  // Pérdida y exactitud de unas imágenes, sin dropout ni penalizaciones; `each` recibe lo que la red da a cada lote.
  function* evaluate(net, set, each = () => {}) {
    let loss = 0, hits = 0;
    const n = set.labels.length;
    for (let start = 0; start < n; start += engine.BATCH) {
      const rows = Uint32Array.from({ length: Math.min(engine.BATCH, n - start) }, (_, k) => start + k);
      engine.gather(set, rows, x, y);
      const measured = engine.forward(net, x, y, rows.length, false);
      loss += measured.loss * rows.length;
      hits += measured.hits;
      each(net.layers.at(-1).out.subarray(0, rows.length * engine.CLASSES), start);
      yield;
    }
    return { loss: loss / n, accuracy: hits / n };
  }

  // Una época: cada imagen una vez, en otro orden; el último lote se completa con las primeras, como en tarea4.training.
  function* epoch(net, set, settings, order, draw, advance) {
    const shuffled = engine.permutation(set.labels.length, order), n = shuffled.length;
    const size = Math.min(engine.BATCH, n);
    for (let start = 0; start < n; start += size) {
      const rows = Uint32Array.from({ length: size }, (_, k) => shuffled[(start + k) % n]);
      engine.gather(set, rows, x, y, settings.dropout, draw);
      engine.forward(net, x, y, size, true);
      engine.backward(net, x, y, size);
      engine.adam(net, settings.rate);
      yield advance(Math.min(1, (start + size) / n));
    }
  }

  function* train(settings) {
    const net = engine.build(settings), draw = engine.random(settings.seed, engine.USES.dropout);
    const order = engine.random(settings.seed, engine.USES.order), history = [];
    const { units, kernel } = net.layers[0], initial = Float32Array.from(kernel.value);
    const train = { images: data.train.images, labels: data.train.labels.subarray(0, settings.images) };
    let best = null;
    for (let k = 1; k <= settings.epochs; k++) {
      yield* epoch(net, train, settings, order, draw, (part) => (k - 1 + 0.8 * part) / settings.epochs);
      const [fit, check] = [yield* evaluate(net, train), yield* evaluate(net, data.val)];
      if (!Number.isFinite(fit.loss + check.loss)) return { broken: k, history };
      history.push({
        train_loss: fit.loss, train_accuracy: fit.accuracy, val_loss: check.loss, val_accuracy: check.accuracy, seconds: spent / 1000,
      });
      if (!best || check.loss < best.loss)
        best = { loss: check.loss, epoch: k, weights: engine.weights(net).map((value) => value.slice()) };
      post({ kind: "epoch", epoch: k, measured: history.at(-1) });
      yield k / settings.epochs;
      if (wanted) break; // se ha pedido parar
    }
    const probabilities = new Float32Array(data.test.labels.length * engine.CLASSES);
    const atLast = yield* evaluate(net, data.test);
    engine.weights(net).forEach((value, k) => value.set(best.weights[k])); // la de la mejor época de validación
    const atBest = yield* evaluate(net, data.test, (out, start) => probabilities.set(out, start * engine.CLASSES));
    return {
      history, bestEpoch: best.epoch, test: { best: atBest, last: atLast }, probabilities, units, initial,
      kernel: Float32Array.from(kernel.value), parameters: engine.weights(net).reduce((sum, { length }) => sum + length, 0),
    };
  }

  function slice() {
    if (!job || paused) return;
    const start = performance.now(), mine = job;
    let step, fraction;
    do {
      step = job.next();
      fraction = step.value ?? fraction;
    } while (!step.done && performance.now() - start < SLICE);
    spent += performance.now() - start;
    if (step.done) {
      job = null;
      post({ kind: "done", result: step.value, seconds: spent / 1000 });
      return;
    }
    if (typeof fraction === "number") post({ kind: "progress", fraction, seconds: spent / 1000 });
    setTimeout(() => mine === job && slice());
  }

  const commands = {
    data: (message) => (data = message.data),
    start({ settings }) {
      [spent, paused, wanted] = [0, false, false];
      job = train(settings);
      slice();
    },
    pause: () => (paused = true),
    resume() {
      if (!paused) return;
      paused = false;
      slice();
    },
    stop() {
      wanted = true; // al acabar la época en curso
      commands.resume();
    },
  };
  return (message) => commands[message.command](message);
}

// «Entrena tú», el motor: las redes de tarea4/models.py, su gradiente y Adam, sobre arreglos tipados.
//
// Todo va dentro de una función porque el obrero (worker.js) la recibe como texto: abierto desde el disco, el
// navegador no deja cargar allí otro archivo.
function makeEngine() {
  const PIXELS = 784, CLASSES = 10, BATCH = 128, LEVELS = 15;
  const BN = { momentum: 0.99, epsilon: 1e-3 }, ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }; // los de Keras
  const USES = { weights: 1, order: 2, dropout: 3 };
  const reals = (n, value = 0) => new Float64Array(n).fill(value);
  const where = new Int32Array(PIXELS + 4), values = reals(PIXELS + 4);

  // Generador de números entre 0 y 1 que solo depende de la semilla y de para qué se usa: Mulberry32.
  function random(seed, use) {
    let state = (Math.imul(seed, 0x9e3779b1) + Math.imul(use, 0x85ebca6b)) | 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let bits = Math.imul(state ^ (state >>> 15), state | 1);
      bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
      return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  function permutation(n, draw) {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(draw() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  const parameter = (value) => ({
    value, gradient: reals(value.length), mean: reals(value.length), square: reals(value.length), // los de Adam
  });

  // Una red con sus pesos iniciales. `sizes` son las capas ocultas; l1 va en la penúltima y l2 en la última, como en 2020.
  function build({ sizes, normalise, l1, l2, seed }) {
    const draw = random(seed, USES.weights), widths = [PIXELS, ...sizes, CLASSES];
    const layers = widths.slice(1).map((units, k) => {
      const inputs = widths[k], limit = Math.sqrt(6 / (inputs + units)); // uniforme de Glorot
      const kernel = reals(inputs * units).map(() => limit * (2 * draw() - 1));
      return {
        inputs, units, kernel: parameter(kernel), bias: parameter(reals(units)), l1: 0, l2: 0,
        out: reals(BATCH * units), delta: reals(BATCH * units),
      };
    });
    layers[Math.max(0, sizes.length - 2)].l1 = l1;
    layers[sizes.length - 1].l2 = l2;
    const units = sizes[0], norm = normalise && {
      gamma: parameter(reals(units, 1)), beta: parameter(reals(units)), mean: reals(units), variance: reals(units, 1),
      hat: reals(BATCH * units), deviation: reals(units), out: reals(BATCH * units),
    };
    // en el orden de Keras
    const parameters = layers.flatMap(({ kernel, bias }, k) =>
      k || !norm ? [kernel, bias] : [kernel, bias, norm.gamma, norm.beta]);
    return { layers, norm, parameters, steps: 0 };
  }

  // out += x @ table: x tiene `rows` filas, separadas `step` sitios, de `inputs` valores, separados `stride`. Los ceros de
  // x se saltan, que en la entrada son cuatro de cada cinco, y los demás van de cuatro en cuatro: out se toca menos veces.
  function product(x, rows, step, inputs, stride, units, table, out) {
    for (let row = 0, to = 0; row < rows; row++, to += units) {
      let count = 0;
      for (let i = 0, from = row * step; i < inputs; i++, from += stride)
        if (x[from] !== 0) {
          where[count] = i * units;
          values[count++] = x[from];
        }
      for (let k = count; k < count + 3; k++) where[k] = values[k] = 0; // relleno del último grupo
      for (let k = 0; k < count; k += 4) {
        const a = values[k], b = values[k + 1], c = values[k + 2], d = values[k + 3];
        const p = where[k], q = where[k + 1], r = where[k + 2], s = where[k + 3];
        for (let j = 0; j < units; j++) out[to + j] += a * table[p + j] + b * table[q + j] + c * table[r + j] + d * table[s + j];
      }
    }
  }

  // result = delta @ weights.T
  function transposedProduct(delta, n, inputs, units, weights, result) {
    for (let row = 0; row < n; row++)
      for (let i = 0, from = row * units; i < inputs; i++) {
        let sum = 0;
        for (let j = 0, at = i * units; j < units; j++) sum += weights[at + j] * delta[from + j];
        result[row * inputs + i] = sum;
      }
  }

  function relu(x, n) {
    for (let i = 0; i < n; i++) if (!(x[i] > 0)) x[i] = x[i] !== x[i] ? NaN : 0; // un NaN no se esconde
  }

  function normalise(norm, x, n, training) {
    const units = norm.mean.length;
    for (let j = 0; j < units; j++) {
      let mean = norm.mean[j], variance = norm.variance[j];
      if (training) {
        mean = variance = 0;
        for (let row = 0; row < n; row++) mean += x[row * units + j] / n;
        for (let row = 0; row < n; row++) variance += (x[row * units + j] - mean) ** 2 / n;
        norm.mean[j] += (1 - BN.momentum) * (mean - norm.mean[j]);
        norm.variance[j] += (1 - BN.momentum) * (variance - norm.variance[j]);
      }
      norm.deviation[j] = Math.sqrt(variance + BN.epsilon);
      for (let i = j; i < n * units; i += units) {
        norm.hat[i] = (x[i] - mean) / norm.deviation[j];
        norm.out[i] = norm.gamma.value[j] * norm.hat[i] + norm.beta.value[j];
      }
    }
    relu(norm.out, n * units);
    return norm.out;
  }

  // Deja en la última capa las probabilidades de n imágenes y devuelve la entropía cruzada, la penalización y los aciertos.
  function forward(net, x, labels, n, training) {
    let penalty = 0, loss = 0, hits = 0;
    const last = net.layers.at(-1);
    for (const layer of net.layers) {
      for (let i = 0; i < n * layer.units; i++) layer.out[i] = layer.bias.value[i % layer.units];
      product(x, n, layer.inputs, layer.inputs, 1, layer.units, layer.kernel.value, layer.out);
      x = layer.out;
      if (layer === last) break;
      const size = n * layer.units;
      relu(x, size);
      if (layer.l1 || layer.l2)
        for (let i = 0; i < size; i++) penalty += (layer.l1 * x[i] + layer.l2 * x[i] * x[i]) / n; // x no es negativo
      if (net.norm && layer === net.layers[0]) x = normalise(net.norm, x, n, training);
    }
    for (let row = 0; row < n; row++) {
      const scores = last.out.subarray(row * CLASSES, (row + 1) * CLASSES), top = Math.max(...scores);
      const label = labels[row], chosen = scores[label];
      let total = 0;
      for (let j = 0; j < CLASSES; j++) total += scores[j] = Math.exp(scores[j] - top);
      for (let j = 0; j < CLASSES; j++) scores[j] /= total;
      loss += Math.log(total) + top - chosen;
      hits += scores.indexOf(Math.max(...scores)) === label;
    }
    return { loss: loss / n, penalty, hits };
  }

  // Los gradientes de la pérdida media del lote, tras un `forward` con training.
  function backward(net, x, labels, n) {
    const last = net.layers.length - 1, below = (k) => (k === 1 && net.norm ? net.norm.out : net.layers[k - 1].out);
    for (let k = last; k >= 0; k--) {
      const layer = net.layers[k], { units, delta, out } = layer, size = n * units;
      if (k === last)
        for (let i = 0; i < size; i++) delta[i] = (out[i] - (labels[Math.floor(i / units)] === i % units)) / n;
      else {
        if (k === 0 && net.norm) backwardNorm(net.norm, delta, n);
        for (let i = 0; i < size; i++)
          delta[i] = out[i] > 0 ? delta[i] + (layer.l1 + 2 * layer.l2 * out[i]) / n : 0;
      }
      layer.bias.gradient.fill(0);
      for (let i = 0; i < size; i++) layer.bias.gradient[i % units] += delta[i];
      layer.kernel.gradient.fill(0);
      product(k ? below(k) : x, layer.inputs, 1, n, layer.inputs, units, delta, layer.kernel.gradient); // x.T @ delta
      if (k) transposedProduct(delta, n, layer.inputs, units, layer.kernel.value, net.layers[k - 1].delta);
    }
  }

  function backwardNorm({ gamma, beta, hat, deviation, out }, delta, n) {
    const units = deviation.length;
    for (let j = 0; j < units; j++) {
      let sum = 0, projected = 0;
      for (let i = j; i < n * units; i += units) {
        if (!(out[i] > 0)) delta[i] = 0; // la segunda relu
        sum += delta[i];
        projected += delta[i] * hat[i];
      }
      gamma.gradient[j] = projected;
      beta.gradient[j] = sum;
      for (let i = j; i < n * units; i += units)
        delta[i] = (gamma.value[j] / deviation[j]) * (delta[i] - sum / n - (hat[i] * projected) / n);
    }
  }

  function adam(net, rate) {
    const t = ++net.steps, power = (beta) => Math.fround(beta) ** t; // Keras las eleva ya redondeadas a float32
    const scale = (rate * Math.sqrt(1 - power(ADAM.beta2))) / (1 - power(ADAM.beta1));
    for (const { value, gradient, mean, square } of net.parameters) descend(value, gradient, mean, square, scale);
  }

  function descend(value, gradient, mean, square, scale) {
    for (let i = 0; i < value.length; i++) {
      const slope = gradient[i];
      mean[i] += (1 - ADAM.beta1) * (slope - mean[i]);
      square[i] += (1 - ADAM.beta2) * (slope * slope - square[i]);
      value[i] -= (scale * mean[i]) / (Math.sqrt(square[i]) + ADAM.epsilon);
    }
  }

  // Copia en `x` las imágenes `rows`, con dropout si se da con qué sortear.
  function gather({ images, labels }, rows, x, y, dropout = 0, draw = null) {
    for (let k = 0; k < rows.length; k++) {
      y[k] = labels[rows[k]];
      copy(images, rows[k] * PIXELS, x, k * PIXELS);
      if (dropout) drop(x, k * PIXELS, dropout, draw);
    }
  }

  function copy(images, from, x, to) {
    for (let i = 0; i < PIXELS; i++) x[to + i] = images[from + i] / LEVELS;
  }

  function drop(x, to, rate, draw) {
    for (let i = to; i < to + PIXELS; i++) // un píxel en blanco es cero con dropout o sin él: no se sortea
      if (x[i] !== 0) x[i] = draw() < rate ? 0 : x[i] / (1 - rate);
  }

  const weights = (net) => [...net.parameters.map(({ value }) => value), ...(net.norm ? [net.norm.mean, net.norm.variance] : [])];

  return { PIXELS, CLASSES, BATCH, USES, reals, random, permutation, build, forward, backward, adam, gather, weights };
}

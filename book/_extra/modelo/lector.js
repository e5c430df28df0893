// «Prueba el modelo»: dos redes de Keras, calculadas en el navegador. Las entrena Q5, que deja sus pesos en PESOS.
const SIDE = 28, BOX = 20, PEN = 22;

// Los tres bytes altos de cada float32, como los deja tarea4/report/web.py.
function unpack(text) {
  const high = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const bytes = new Uint8Array((high.length / 3) * 4);
  high.forEach((byte, i) => (bytes[4 * Math.floor(i / 3) + (i % 3) + 1] = byte));
  return new Float32Array(bytes.buffer);
}

const NETWORKS = PESOS.networks.map((network) => ({
  ...network,
  layers: network.layers.map(({ activation, ...weights }) => ({
    activation,
    ...Object.fromEntries(Object.entries(weights).map(([name, text]) => [name, unpack(text)])),
  })),
}));

// La función de error, con la aproximación 7.1.26 de Abramowitz y Stegun: falla menos de 2e-7.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const ACTIVATIONS = {
  linear: (x) => x,
  tanh: (x) => x.map(Math.tanh),
  silu: (x) => x.map((value) => value / (1 + Math.exp(-value))),
  gelu: (x) => x.map((value) => (value * (1 + erf(value / Math.SQRT2))) / 2),
  relu: (x) => x.map((value) => Math.max(value, 0)),
  softmax: (x) => {
    const powers = x.map((value) => Math.exp(value - Math.max(...x)));
    const total = powers.reduce((sum, power) => sum + power);
    return powers.map((power) => power / total);
  },
};

// Probabilidades que da una red a una imagen aplanada, de intensidades entre 0 y 1.
function predict(network, image) {
  let x = Float64Array.from(image);
  for (const { kernel, bias, scale, shift, activation } of network.layers) {
    if (kernel) {
      const sums = Float64Array.from(bias);
      x.forEach((value, i) => value && sums.forEach((_, j) => (sums[j] += value * kernel[i * sums.length + j])));
      x = sums;
    }
    if (scale) x = x.map((value, j) => value * scale[j] + shift[j]);
    if (activation) x = ACTIVATIONS[activation](x);
  }
  return x;
}

// Un canal de los píxeles de un lienzo, entre 0 y 1: el de un dibujo es el 3, la opacidad de la tinta.
function channel(context, which, x, width, height) {
  const { data } = context.getImageData(x, 0, width, height);
  return Float64Array.from({ length: width * height }, (_, i) => data[4 * i + which] / 255);
}

// El dibujo como lo vería MNIST: dentro de 20 × 20, y con el centro de masas en el centro, al píxel más cercano.
function normalise(canvas) {
  const pixels = channel(canvas.getContext("2d"), 3, 0, canvas.width, canvas.height);
  const at = (i) => [i % canvas.width, Math.floor(i / canvas.width)];
  const low = [Infinity, Infinity], high = [-1, -1], moment = [0, 0];
  let mass = 0;
  pixels.forEach((value, i) => {
    if (!value) return;
    mass += value;
    at(i).forEach((place, axis) => {
      low[axis] = Math.min(low[axis], place);
      high[axis] = Math.max(high[axis], place + 1);
      moment[axis] += value * (place + 0.5);
    });
  });
  if (!mass) return new Float64Array(SIDE * SIDE);
  const sides = [0, 1].map((axis) => high[axis] - low[axis]), scale = BOX / Math.max(...sides);
  const corner = [0, 1].map((axis) => Math.round(SIDE / 2 - scale * (moment[axis] / mass - low[axis])));
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  context.imageSmoothingQuality = "high"; // promedia los píxeles en lugar de saltárselos
  context.drawImage(canvas, ...low, ...sides, ...corner, ...sides.map((side) => Math.max(1, Math.round(scale * side))));
  return channel(context, 3, 0, SIDE, SIDE);
}

const page = document.getElementById("lector");
const [drawing, seen] = page.querySelectorAll("canvas");
const pen = drawing.getContext("2d", { willReadFrequently: true }), preview = seen.getContext("2d");
const select = page.querySelector("select"), readings = page.querySelector(".lecturas");
const percent = new Intl.NumberFormat("es", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

for (const { name, parameters, accuracy, layers } of NETWORKS) {
  const row = (_, label) => `<tr><th scope="row">${label}</th><td></td></tr>`;
  const count = parameters.toLocaleString("es", { useGrouping: "always" }).replaceAll(".", "\u00a0"); // como en el libro
  const about = `${count} parámetros, acierta el ${percent.format(accuracy)} en prueba`;
  const caption = `<caption>${name}: <b></b> <small>${about}</small></caption>`;
  const rows = Array.from(layers.at(-1).bias, row).join("");
  readings.insertAdjacentHTML("beforeend", `<table>${caption}${rows}</table>`);
}

// Enseña una imagen de 28 × 28 y lo que lee en ella cada red.
function show(image) {
  const blank = !image.some(Boolean);
  const ink = Uint8ClampedArray.from({ length: 4 * image.length }, (_, i) => (i % 4 === 3 ? 255 * image[(i - 3) / 4] : 0));
  preview.putImageData(new ImageData(ink, SIDE), 0, 0);
  NETWORKS.forEach((network, i) => {
    const probabilities = blank ? [] : predict(network, image), best = probabilities.indexOf(Math.max(...probabilities));
    readings.children[i].querySelector("b").textContent = blank ? "…" : `lee un ${best}`;
    readings.children[i].querySelectorAll("td").forEach((cell, label) => {
      cell.textContent = blank ? "" : percent.format(probabilities[label]);
      cell.style.setProperty("--p", blank ? 0 : probabilities[label]);
    });
  });
}

// Lo leído, en voz alta, cuando el dibujo está acabado.
function announce() {
  const captions = [...readings.querySelectorAll("caption")];
  const words = captions.map((caption) => caption.firstChild.data + caption.querySelector("b").textContent);
  page.querySelector("[aria-live]").textContent = words.join("; ");
}

function clear() {
  pen.clearRect(0, 0, drawing.width, drawing.height);
  show(normalise(drawing));
}

drawing.addEventListener("pointerdown", (event) => {
  drawing.setPointerCapture(event.pointerId);
  if (select.value) select.value = "", clear();
  pen.beginPath();
  stroke(event);
});
drawing.addEventListener("pointermove", (event) => event.buttons && stroke(event));
drawing.addEventListener("pointerup", announce);

function stroke({ offsetX, offsetY }) {
  const zoom = drawing.width / drawing.clientWidth;
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  pen.lineTo(offsetX * zoom, offsetY * zoom);
  pen.stroke();
  show(normalise(drawing));
}

page.querySelector("button").addEventListener("click", () => {
  select.value = "";
  clear();
  announce();
});

// Las imágenes de prueba, para quien no dibuja: vienen en una tira, blancas sobre negro.
const strip = new Image();
strip.onload = () => {
  const context = new OffscreenCanvas(strip.width, SIDE).getContext("2d");
  context.drawImage(strip, 0, 0);
  PESOS.examples.labels.forEach((label, i) => select.add(new Option(`${label} (imagen ${i + 1})`, i)));
  const choose = () => {
    clear();
    if (select.value) show(channel(context, 0, SIDE * select.value, SIDE, SIDE));
  };
  select.addEventListener("change", () => (choose(), announce()));
  select.value = PESOS.examples.labels.length - 1; // la página empieza con una imagen leída
  choose();
};
strip.src = `data:image/png;base64,${PESOS.examples.png}`;

document.getElementById("sin-lector").remove();
page.hidden = false;
clear();

// «Entrena tú», las imágenes: se piden cuando hacen falta y se descomprimen aquí.
const DATA_FILE = "entrenador/digitos.js";

function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: address, onload: resolve, onerror: () => reject(new Error(`No se pudo leer ${address}.`)) });
    document.head.append(script);
  });
}

// Los tres conjuntos: imágenes de 784 intensidades, de 0 a 15, y sus etiquetas.
function unpackDigits(bytes, sizes) {
  const total = Object.values(sizes).reduce((sum, size) => sum + size), pixels = bytes.subarray(total);
  const images = new Uint8Array(2 * pixels.length), side = images.length / total;
  pixels.forEach((pair, i) => {
    images[2 * i] = pair >> 4;
    images[2 * i + 1] = pair & 15;
  });
  let start = 0;
  return Object.fromEntries(Object.entries(sizes).map(([name, size]) => {
    const end = start + size;
    const part = { images: images.slice(start * side, end * side), labels: bytes.slice(start, end) };
    start = end;
    return [name, part];
  }));
}

let digits = null;

// Carga las imágenes una sola vez; si falla, la siguiente llamada lo intenta de nuevo.
function loadDigits() {
  digits ??= (async () => {
    if (!window.DIGITS) await loadScript(DATA_FILE);
    const packed = Uint8Array.from(atob(DIGITS.packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return unpackDigits(new Uint8Array(await new Response(stream).arrayBuffer()), DIGITS.sizes);
  })().catch((error) => {
    digits = null;
    throw error;
  });
  return digits;
}

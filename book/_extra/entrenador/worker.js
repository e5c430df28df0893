// «Entrena tú», dónde se entrena: en un obrero, para que la página siga respondiendo, o aquí mismo si no se puede.

// Devuelve la función con que se le mandan órdenes; lo que el entrenamiento cuenta llega a `listen`.
function startTrainer(listen) {
  try {
    const code = `${makeEngine}\n${makeTrainer}\n` +
      "const command = makeTrainer(makeEngine(), (message) => postMessage(message));\n" +
      "onmessage = ({ data }) => command(data);";
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" })); // desde el disco no hay otra
    const worker = new Worker(address);
    URL.revokeObjectURL(address);
    worker.onmessage = ({ data }) => listen(data);
    worker.onerror = (error) => listen({ kind: "failed", message: error.message });
    return { send: (message) => worker.postMessage(message), inWorker: true };
  } catch {
    return { send: makeTrainer(makeEngine(), (message) => listen(message)), inWorker: false };
  }
}

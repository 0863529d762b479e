// The samples of a run: an index of columns that is read at once, and their texts, unpacked piece by piece when asked for.
(() => {
  "use strict";
  const meta = window.evalharness.json("meta");

  const bytes = (text) => {
    const raw = atob(text), made = new Uint8Array(raw.length);
    for (let place = 0; place < raw.length; place++) made[place] = raw.charCodeAt(place);
    return made;
  };

  const whole = new Promise((resolve) => {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true });
    else resolve();
  });

  // The text of a piece. Pieces of texts stand behind the scripts: the page may still be loading.
  const unpacked = async (id) => {
    if (!document.getElementById(id)) await whole;
    const stream = new Blob([bytes(document.getElementById(id).textContent)]).stream();
    return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const piece = async (id) => JSON.parse(await unpacked(id));

  // Lets the browser draw and answer the reader between two slices of work.
  const pause = () => new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });

  const columns = () => {
    const of = (names, make) => Object.fromEntries(names.map((name) => [name, make()]));
    const metrics = [...new Set(Object.values(meta.scores).map((score) => score.metric).filter((name) => name !== null))];
    const texts = () => new Array(meta.samples);
    return {
      id: texts(), group: texts(), input: texts(), response: texts(),
      repeat: new Int32Array(meta.samples),
      failure: new Uint8Array(meta.samples),
      scores: of(Object.keys(meta.scores), () => new Float64Array(meta.samples).fill(NaN)),
      statuses: of(metrics, () => new Uint32Array(meta.samples)),
      slices: of(Object.keys(meta.slices), () => new Uint8Array(meta.samples)),
    };
  };

  const index = columns();

  const take = (part, start) => {
    // Null in a column of numbers is no 0.
    const put = (column, values) => {
      const none = column instanceof Float64Array ? NaN : null;
      for (let place = 0; place < values.length; place++) column[start + place] = values[place] ?? none;
    };
    for (const name of ["id", "group", "input", "response", "repeat", "failure"]) put(index[name], part[name]);
    for (const kind of ["scores", "statuses", "slices"]) {
      for (const [name, column] of Object.entries(index[kind])) if (part[kind][name]) put(column, part[kind][name]);
    }
    return part.id.length;
  };

  const ready = (async () => {
    let start = 0;
    for (let number = 0; number < meta.index; number++) {
      start += take(await piece(`index-${number}`), start);
      await pause();
    }
  })();

  // Texts of the pieces read last; a reader who goes from sample to sample stays in one of them.
  const held = new Map();
  const texts = async (number) => {
    if (!held.has(number)) held.set(number, piece(`texts-${number}`));
    if (held.size > 8) held.delete(held.keys().next().value);
    return held.get(number);
  };

  // The piece that holds a sample: the last one that starts at it or before.
  const pieceOf = (row) => {
    let low = 0, high = meta.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (meta.starts[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  const sample = async (row) => {
    const number = pieceOf(row);
    return (await texts(number))[row - meta.starts[number]];
  };

  // The status of a sample under a metric in words, or null.
  const status = (metric, row) => meta.statuses[(index.statuses[metric]?.[row] ?? 0) - 1] ?? null;
  const failure = (row) => meta.failures[index.failure[row] - 1] ?? null;

  window.evalharness.view = { meta, index, ready, unpacked, pause, sample, status, failure };
})();

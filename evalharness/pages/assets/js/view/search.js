// Which samples are shown and in which order: filters and sorting over the index, search through all texts in slices.
(() => {
  "use strict";
  const { view } = window.evalharness;
  const { meta, index } = view;

  // Every text in a value; names of fields are not searched.
  const holds = (value, wanted) => {
    if (typeof value === "string") return value.toLowerCase().includes(wanted);
    if (typeof value === "number") return String(value).includes(wanted);
    if (value === null || typeof value !== "object") return false;
    return Object.values(value).some((part) => holds(part, wanted));
  };
  const SEARCHED = ["response", "contexts", "answers", "fields", "failure", "prompt"];
  const matches = (sample, row, wanted) =>
    index.id[row].toLowerCase().includes(wanted) || SEARCHED.some((name) => holds(sample[name], wanted));

  // Marks the samples that hold a text. Yields to the browser after every 20 ms of work; `signal` ends it.
  const SLICE = 20;
  const search = async (text, { progress, signal }) => {
    const wanted = text.toLowerCase(), found = new Uint8Array(meta.samples);
    let begun = performance.now();
    for (let number = 0; number < meta.starts.length; number++) {
      const samples = JSON.parse(await view.unpacked(`texts-${number}`));
      for (let place = 0; place < samples.length; place++) {
        const row = meta.starts[number] + place;
        found[row] = matches(samples[place], row, wanted) ? 1 : 0;
        if (performance.now() - begun > SLICE) {
          await view.pause();
          begun = performance.now();
        }
      }
      if (signal.aborted) return null;
      progress((number + 1) / meta.starts.length);
      await view.pause();
      begun = performance.now();
    }
    return found;
  };

  const inRange = (column, row, { least, most }) => {
    const value = column[row];
    return !(least !== null && !(value >= least)) && !(most !== null && !(value <= most));
  };

  // `ranges`: [{ score, least, most }]; `status`: a number of meta.statuses, or null; `failure`: likewise;
  // `slices`: { field: number }; `found`: what search marked, or null.
  const chosen = ({ ranges, status, failure, slices, found }) => {
    const tests = [];
    for (const range of ranges) {
      const column = index.scores[range.score];
      tests.push((row) => inRange(column, row, range));
    }
    if (status !== null) {
      const held = Object.values(index.statuses);
      tests.push((row) => held.some((column) => column[row] === status));
    }
    if (failure !== null) tests.push((row) => index.failure[row] === failure);
    for (const [field, code] of Object.entries(slices)) {
      const column = index.slices[field];
      tests.push((row) => column[row] === code);
    }
    if (found) tests.push((row) => found[row] === 1);
    const rows = new Uint32Array(meta.samples);
    let count = 0;
    for (let row = 0; row < meta.samples; row++) if (tests.every((test) => test(row))) rows[count++] = row;
    return rows.slice(0, count);
  };

  const column = (name) => index.scores[name] ?? index[name];
  const missing = (value) => value === undefined || value === null || Number.isNaN(value);

  // Sorted rows; samples without a value stand last, equal ones in the order of the run.
  const sorted = (rows, name, descending) => {
    const values = column(name), sign = descending ? -1 : 1;
    const present = rows.filter((row) => !missing(values[row])), absent = rows.filter((row) => missing(values[row]));
    present.sort((a, b) => (values[a] < values[b] ? -sign : values[a] > values[b] ? sign : a - b));
    const all = new Uint32Array(rows.length);
    all.set(present);
    all.set(absent, present.length);
    return all;
  };

  Object.assign(view, { search, chosen, sorted });
})();

// Means of the samples' own values by slice: one table a field, each row of which chooses its samples.
(() => {
  "use strict";
  const { element, number, view } = window.evalharness;
  const { meta, index } = view;
  const host = document.getElementById("slice-tables");

  const means = (codes, size) =>
    Object.entries(index.scores).map(([name, values]) => {
      const sums = new Float64Array(size), counts = new Uint32Array(size);
      for (let row = 0; row < meta.samples; row++) {
        const value = values[row];
        if (value !== value) continue;
        sums[codes[row]] += value;
        counts[codes[row]]++;
      }
      return { name, sums, counts };
    });

  const cell = ({ sums, counts }, code, size) => {
    if (!counts[code]) return element("td", { className: "num dim" }, "–");
    const fewer = counts[code] < size ? element("span", { className: "dim of" }, ` (${counts[code]})`) : null;
    return element("td", { className: "num" }, number(sums[code] / counts[code]), fewer);
  };

  const table = (field, choose) => {
    const codes = index.slices[field], values = meta.slices[field], sizes = new Uint32Array(values.length + 1);
    for (let row = 0; row < meta.samples; row++) sizes[codes[row]]++;
    const columns = means(codes, values.length + 1);
    const order = values.map((_, place) => place + 1).filter((code) => sizes[code]).sort((a, b) => (values[a - 1] < values[b - 1] ? -1 : 1));
    const row = (code) => element("tr", {},
      element("th", { scope: "row" }, element("button", { type: "button", className: "link", dir: "auto", onclick: () => choose(field, code) }, values[code - 1])),
      element("td", { className: "num" }, sizes[code].toLocaleString("en")),
      columns.map((column) => cell(column, code, sizes[code])));
    const head = element("tr", {}, element("th", { scope: "col", dir: "auto" }, field), element("th", { scope: "col", className: "num" }, "samples"),
      columns.map(({ name }) => element("th", { scope: "col", className: "num", dir: "auto" }, name)));
    return element("div", { className: "scroll slices", tabIndex: 0, role: "region", "aria-label": `Slices by ${field}` },
      element("table", {}, element("thead", {}, head), element("tbody", {}, order.map(row))));
  };

  view.slices = (choose) => {
    const fields = Object.keys(meta.slices);
    if (!fields.length) {
      host.append(element("p", { className: "dim" }, "No field has few enough different values to cut the samples into slices."));
      return;
    }
    host.append(element("p", { className: "dim" }, "Means of the samples' own values, without intervals; a score over all samples may be no such mean. In brackets: how many samples have a value, where some have none. Choose a slice to list its samples."));
    for (const field of fields) host.append(element("h3", { dir: "auto" }, field), table(field, choose));
  };
})();

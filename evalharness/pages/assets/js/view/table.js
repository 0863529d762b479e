// The table of samples and its tools. The table holds one page of rows; filters and sorting work on the index.
(() => {
  "use strict";
  const { element, number, view } = window.evalharness;
  const { meta, index } = view;
  const SHOWN_SCORES = 4, PAGE = 25;
  const scores = Object.keys(meta.scores);
  const tools = document.getElementById("table-tools"), progress = document.getElementById("search-progress");

  const state = { ranges: new Map(), status: null, failure: null, slices: {}, found: null, sort: null, columns: new Set(scores.slice(0, SHOWN_SCORES)) };
  let rows = new Uint32Array(0);
  let table = null;

  const choose = () => {
    rows = view.chosen({ ...state, ranges: [...state.ranges.values()] });
    if (state.sort) rows = view.sorted(rows, state.sort.field, state.sort.dir === "desc");
    count.textContent = `${rows.length.toLocaleString("en")} of ${meta.samples.toLocaleString("en")} samples`;
  };
  const update = () => table.setPage(1);

  // What the table asks for: one page of rows under its sorting.
  const page = async ({ page: wanted, size, sort }) => {
    state.sort = sort?.[0] ?? null;
    choose();
    const start = (wanted - 1) * size;
    const data = [...rows.subarray(start, start + size)].map((row) => ({ row, id: index.id[row] }));
    return { data, last_page: Math.max(1, Math.ceil(rows.length / size)) };
  };

  const of = (make) => (cell) => make(cell.getData().row);
  const open = (row) => view.open(row, [...rows]);
  const idCell = (row) => element("a", { href: `#${new URLSearchParams({ sample: index.id[row] })}`, dir: "auto", className: "open", "data-row": row },
    index.repeat[row] ? `${index.id[row]} · ${index.repeat[row]}` : index.id[row]);
  const textCell = (name) => (row) => element("span", { dir: "auto", className: index[name][row] === null ? "dim" : "" }, index[name][row] ?? "none");
  const scoreCell = (name) => (row) => {
    const status = view.status(meta.scores[name].metric, row), value = index.scores[name][row];
    if (!Number.isNaN(value)) return element("span", { className: "num", title: status ?? "" }, number(value));
    return element("span", { className: "dim why", dir: "auto" }, status ?? "–");
  };
  const failureCell = (row) => {
    const failed = view.failure(row);
    return failed ? element("span", { className: "note bad" }, failed) : element("span", {}, "");
  };

  // A title that sorts is a button, for the keyboard; a click on it is one on the title.
  const title = (cell) => {
    const { title: text, headerSort = true } = cell.getColumn().getDefinition();
    return headerSort ? element("button", { type: "button", className: "title", dir: "auto" }, text) : text;
  };

  const columns = () => [
    { title: "id", field: "id", formatter: of(idCell), width: 120, frozen: matchMedia("(min-width: 40rem)").matches },
    ...(meta.grouped ? [{ title: "group", field: "group", formatter: of(textCell("group")), width: 110 }] : []),
    ...(meta.failures.length ? [{ title: "failure", field: "failure", formatter: of(failureCell), width: 110 }] : []),
    ...scores.map((name) => ({
      title: name, field: name, formatter: of(scoreCell(name)), hozAlign: "right", headerHozAlign: "right", minWidth: 116,
      width: Math.max(116, 44 + 8 * name.length), visible: state.columns.has(name), headerSortStartingDir: meta.scores[name].better === "lower" ? "desc" : "asc",
    })),
    { title: "input", field: "input", formatter: of(textCell("input")), minWidth: 180, widthGrow: 1, headerSort: false },
    { title: "response", field: "response", formatter: of(textCell("response")), minWidth: 220, widthGrow: 2, headerSort: false },
  ];

  const count = element("output", { className: "count", "aria-live": "polite" });

  const field = (label, control) => element("label", {}, label, control);
  const options = (first, pairs) => [element("option", { value: "" }, first), ...pairs.map(([value, label]) => element("option", { value }, label))];
  const select = (label, first, pairs, change) => {
    const control = element("select", { onchange: () => change(control.value === "" ? null : Number(control.value)) }, options(first, pairs));
    return field(label, control);
  };

  // How many samples have each status under any metric; a sample that has it under several counts once.
  const statusPairs = () => {
    const counts = new Uint32Array(meta.statuses.length + 1), last = new Int32Array(meta.statuses.length + 1).fill(-1);
    const held = Object.values(index.statuses);
    for (let row = 0; row < meta.samples; row++) {
      for (const column of held) {
        const code = column[row];
        if (code && last[code] !== row) {
          counts[code]++;
          last[code] = row;
        }
      }
    }
    return meta.statuses.map((text, place) => [place + 1, `${text} (${counts[place + 1].toLocaleString("en")})`]);
  };

  const range = (name) => {
    const bound = (label) => element("input", { type: "number", step: "any", "aria-label": `${label} ${name}`, placeholder: label === "least" ? "from" : "to", oninput: () => {
      const [least, most] = bounds.map(({ value }) => (value === "" ? null : Number(value)));
      if (least === null && most === null) state.ranges.delete(name);
      else state.ranges.set(name, { score: name, least, most });
      update();
    } });
    const bounds = [bound("least"), bound("most")];
    const seen = element("input", { type: "checkbox", checked: state.columns.has(name), onchange: () => {
      if (seen.checked) table.showColumn(name);
      else table.hideColumn(name);
    } });
    return element("div", { className: "range-choice" }, element("label", { className: "choice", dir: "auto" }, seen, name), bounds);
  };

  let running = null;
  const bar = element("progress", { max: 1, "aria-label": "Progress through all texts" });
  const search = async (text) => {
    running?.abort();
    const mine = (running = new AbortController());
    state.found = null;
    progress.hidden = !text;
    if (text) {
      bar.value = 0;
      const found = await view.search(text, { progress: (share) => { if (running === mine) bar.value = share; }, signal: mine.signal });
      if (found === null) return;
      state.found = found;
    }
    progress.hidden = true;
    running = null;
    update();
  };
  const cancel = () => {
    running?.abort();
    running = null;
    progress.hidden = true;
  };

  const searchBox = () => {
    let timer = 0;
    const box = element("input", { type: "search", id: "search", placeholder: "in all texts", oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => search(box.value), 300);
    } });
    return field("Search", box);
  };

  const clear = () => {
    cancel();
    Object.assign(state, { ranges: new Map(), status: null, failure: null, slices: {}, found: null });
    for (const input of tools.querySelectorAll("select, input:not([type='checkbox'])")) input.value = "";
    update();
  };

  const sliceSelect = (name) => {
    const made = select(name, "all", meta.slices[name].map((value, place) => [place + 1, value]), (code) => {
      if (code === null) delete state.slices[name];
      else state.slices[name] = code;
      update();
    });
    made.querySelector("select").dataset.slice = name;
    return made;
  };

  const makeTools = () => {
    progress.append(element("span", {}, "Searching all texts"), bar, element("button", { type: "button", onclick: cancel }, "Stop"));
    tools.append(
      searchBox(),
      element("details", { className: "choices" }, element("summary", {}, "Scores"), element("div", {}, element("p", { className: "dim" }, "Show a column; list samples from and to a value."), scores.map(range))),
      meta.statuses.length ? select("Status", "any", statusPairs(), (code) => { state.status = code; update(); }) : "",
      meta.failures.length ? select("Failure", "any or none", meta.failures.map((kind, place) => [place + 1, kind]), (code) => { state.failure = code; update(); }) : "",
      ...Object.keys(meta.slices).map(sliceSelect),
      element("button", { type: "button", onclick: clear }, "Clear"),
      count,
    );
  };

  const makeTable = () => new Promise((resolve) => {
    table = new Tabulator("#sample-table", {
      columns: columns(), index: "row", layout: "fitColumns", placeholder: "No sample is like this.",
      ajaxURL: "index", ajaxRequestFunc: (_url, _config, params) => page(params),
      pagination: true, paginationElement: document.getElementById("sample-pages"), paginationMode: "remote", paginationSize: PAGE, paginationSizeSelector: [25, 50, 100, 200],
      // It would draw its rows anew for its own height as well, and take the focus from the reader.
      autoResize: false,
      sortMode: "remote", headerSortTristate: true, keybindings: false, langs: { default: { pagination: { page_size: "Rows a page" } } }, columnDefaults: { titleFormatter: title },
    });
    table.on("rowClick", (event, row) => {
      if (event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      open(row.getData().row);
    });
    addEventListener("resize", () => table.redraw());
    table.on("tableBuilt", () => {
      // Its rows hold links, so the box needs no focus of its own, which a grid may not have.
      document.querySelector("#sample-table .tabulator-tableholder").removeAttribute("tabindex");
    });
    table.on("dataProcessed", () => requestAnimationFrame(resolve));
  });

  // The table may have drawn its rows anew while the dialog was open: the reader goes on at the sample read last.
  view.closed = (row) => document.querySelector(`#sample-table a.open[data-row="${row}"]`)?.focus();

  const chooseSlice = (name, code) => {
    const control = tools.querySelector(`[data-slice="${CSS.escape(name)}"]`);
    control.value = String(code);
    control.dispatchEvent(new Event("change"));
    document.getElementById("samples").scrollIntoView();
  };

  (async () => {
    await view.ready;
    makeTools();
    view.slices(chooseSlice);
    await makeTable();
    document.documentElement.dataset.ready = "";
    view.follow([...rows]);
    window.evalharness.hash.onChange(() => view.follow([...rows]));
  })();
})();

// The board's table: sorting, filtering, choosing columns, and an address that leads back to what is shown.
(() => {
  "use strict";
  const { element, json, number, hash } = window.evalharness;
  const data = json("table");
  const byId = (id) => document.getElementById(id);
  const find = byId("find"), rowChoice = byId("rows"), choices = byId("choices"), count = byId("count"), reset = byId("reset");
  const NARROW = matchMedia("(max-width: 40rem)").matches;
  const ARROWS = { higher: "↑", lower: "↓" };

  // --- cells ---

  const rankText = ([low, high]) => (low === null ? "–" : low === high ? String(low) : `${low}-${high}`);
  const percent = (share) => `${Math.min(99, Math.round(share * 100))} %`; // of shares below 1
  const heard = (text) => element("span", { className: "only-read" }, text);

  // A bar is copied from a drawing: cheaper than making it anew for each of thousands of cells.
  const drawing = (() => {
    const SVG = "http://www.w3.org/2000/svg";
    const part = (name, given) => {
      const made = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
      return made;
    };
    const svg = part("svg", { class: "range", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(
      part("rect", { class: "whole", width: 100, height: 8 }),
      part("rect", { class: "band", height: 8 }),
      part("rect", { class: "value", width: 1.5, height: 8 }),
    );
    return svg;
  })();

  const bar = (value, low, high, [least, most]) => {
    const made = drawing.cloneNode(true);
    const at = (number) => (100 * (number - least)) / (most - least || 1);
    const [, band, tick] = made.children;
    band.setAttribute("x", at(low ?? value));
    band.setAttribute("width", Math.max(0, at(high ?? value) - at(low ?? value)));
    tick.setAttribute("x", 0.985 * at(value));
    return made;
  };

  // What the data lack for every system is said quietly; what one system lacks and another has stands out.
  const shareMark = (share, covered) => (share < 1 ? element("span", { className: share < covered ? "cover less" : "cover" }, percent(share), heard(" of samples")) : null);
  const errorMark = (errors) => (errors ? element("span", { className: "cover bad" }, `${errors} errors`) : null);

  const scoreCell = (column) => (cell) => {
    const found = cell.getData().cells[column.place];
    if (!found) return element("span", { className: "dim", title: "no record" }, "–", heard(" no record"));
    const [value, low, high, share, errors, noted] = found;
    const interval = low === null ? "no interval" : `95 % interval ${number(low)} to ${number(high)}`;
    const note = noted < 0 ? interval : `${interval}; ${data.notes[noted]}`;
    const head = element("span", { className: "line", title: note },
      element("span", { className: value === null ? "dim" : "num" }, number(value)), shareMark(share, column.covered), errorMark(errors), heard(`, ${note}`));
    return value === null ? head : element("div", {}, head, bar(value, low, high, column.extent));
  };

  const systemCell = (cell) => {
    const row = cell.getData();
    cell.getElement().setAttribute("role", "rowheader");
    const told = [];
    if (row.ranks[0] === null) told.push(element("span", { className: "warn", dir: "auto" }, row.marks.find((mark) => mark.startsWith("not ranked")) ?? "not ranked"));
    if (row.baseline) told.push(element("span", { className: "tag" }, "baseline"));
    if (row.coverage < 1) told.push(element("span", { className: row.short ? "warn" : "" }, `${percent(row.coverage)} covered`));
    if (row.bounds) told.push(element("span", {}, `bounds ${number(row.bounds[0])} to ${number(row.bounds[1])}`));
    const link = element("a", { href: `systems/${row.slug}.html`, dir: "auto", className: "system", title: row.name.slice(0, 300) }, row.name);
    const marks = told.length ? element("div", { className: "marks", title: row.marks.join("; ") }, told.flatMap((each) => [each, " "])) : null;
    return element("div", {}, link, marks);
  };

  const rankCell = (cell) => {
    const row = cell.getData();
    const letters = row.letters ? element("span", { className: "letters" }, row.letters, heard(" tie group")) : null;
    return element("span", { className: "line", title: row.marks.join("; ") }, element("span", { className: "num" }, rankText(row.ranks)), letters);
  };

  // --- columns ---

  // Names of scores may break after their joints.
  const breakable = (title) => title.split(/(?<=[_.@/])/).flatMap((part) => [part, element("wbr")]);

  // So wide that a title, also one with the name of its task, has room on three lines.
  const roomFor = (title) => Math.max(132, Math.min(220, 44 + 3.5 * title.length));

  const header = (title, column) => () => {
    const made = element("span", { dir: "auto", title: column ? `${title}, ${column.better} is better` : title }, ...breakable(title));
    if (!column) return made;
    const unit = column.unit ? ` ${column.unit}` : "";
    return element("span", {}, made, element("span", { className: "dim", "aria-hidden": "true" }, ` ${ARROWS[column.better]}${unit}`));
  };

  // On paper the library writes titles as markup.
  const markup = (text) => element("i", {}, text).innerHTML;

  // Those without a value come last, whichever way is sorted.
  const emptyLast = { alignEmptyValues: "bottom" };

  // A narrow window has room for one column that stays; the library lets it stay at the left only where it is the first.
  const rankColumn = { field: "place", title: "Rank", titleFormatter: header("Rank"), width: NARROW ? 92 : 100, sorter: "number", formatter: rankCell, frozen: !NARROW };
  const nameColumn = { field: "name", title: "System", titleFormatter: header("System"), minWidth: NARROW ? 168 : 250, widthGrow: 2, sorter: "string", formatter: systemCell, frozen: true };

  const columns = () => [
    ...(NARROW ? [nameColumn, rankColumn] : [rankColumn, nameColumn]),
    ...data.columns.map((column, place) => ({
      field: `c${place}`, title: markup(column.title), titleFormatter: header(column.title, column), minWidth: roomFor(column.title), sorter: "number",
      sorterParams: emptyLast, headerSortStartingDir: column.better === "higher" ? "desc" : "asc", formatter: scoreCell({ ...column, place }),
    })),
  ];

  const rows = data.rows.map((row, place) => {
    const values = Object.fromEntries(row.cells.map((cell, column) => [`c${column}`, cell ? cell[0] : null]));
    return { ...row, ...values, place, searched: row.name.toLocaleLowerCase() };
  });

  // --- what is shown, and its address ---

  const titles = new Map([["place", "rank"], ["name", "system"], ...data.columns.map((column, place) => [`c${place}`, column.title])]);
  const fields = new Map([...titles].map(([field, title]) => [title, field]));
  const KINDS = {
    ranked: (row) => row.ranks[0] !== null,
    own: (row) => !row.baseline,
    whole: (row) => !row.short,
  };
  const FIRST = { sort: "rank:asc", find: "", rows: "", hide: "" };
  let restoring = false;

  const table = new Tabulator("#board", {
    data: rows,
    columns: columns(),
    layout: "fitColumns",
    maxHeight: rows.length > 25 ? "75vh" : false,
    initialSort: [{ column: "place", dir: "asc" }],
    columnDefaults: { headerHozAlign: "left", vertAlign: "middle", resizable: false },
    placeholder: "No system fits. Change what is searched for.",
    renderVerticalBuffer: 120, // by default three screens are drawn, of which one is seen
    rowFormatter: (row) => row.getElement().classList.toggle("baseline", row.getData().baseline),
    keybindings: false,
    printAsHtml: true,
    printRowRange: "active",
  });

  const hidden = () => data.columns.map((_, place) => `c${place}`).filter((field) => !table.getColumn(field).isVisible());

  const state = () => {
    const [sort] = table.getSorters();
    return {
      sort: sort ? `${titles.get(sort.field)}:${sort.dir}` : FIRST.sort,
      find: find.value, rows: rowChoice.value, hide: JSON.stringify(hidden().map((field) => titles.get(field))).replace("[]", ""),
    };
  };

  const remember = (push = true) => {
    if (restoring) return;
    const now = Object.entries(state()).filter(([name, value]) => value !== FIRST[name]);
    hash.write(Object.fromEntries(now), push);
    reset.hidden = now.length === 0;
  };

  const tell = () => {
    const shown = table.getDataCount("active");
    count.textContent = shown === rows.length ? `${shown} systems` : `${shown} of ${rows.length} systems`;
  };

  const filter = () => {
    const wanted = find.value.trim().toLocaleLowerCase(), kind = KINDS[rowChoice.value];
    table.setFilter((row) => row.searched.includes(wanted) && (!kind || kind(row)));
    tell();
  };

  const parsed = (text) => {
    try {
      return new Set(JSON.parse(text));
    } catch {
      return new Set(); // an address that somebody mistyped
    }
  };

  const restore = () => {
    restoring = true;
    const wanted = { ...FIRST, ...hash.read() };
    find.value = wanted.find;
    rowChoice.value = KINDS[wanted.rows] ? wanted.rows : "";
    const gone = parsed(wanted.hide || "[]");
    table.blockRedraw();
    for (const [field, title] of titles) {
      if (!field.startsWith("c")) continue;
      const shown = !gone.has(title), column = table.getColumn(field);
      if (column.isVisible() !== shown) shown ? column.show() : column.hide();
      boxes.get(field).checked = shown;
    }
    table.restoreRedraw();
    const [, title, dir] = /^(.*):(asc|desc)$/s.exec(wanted.sort) || [null, "rank", "asc"];
    table.setSort(fields.get(title) || "place", dir);
    filter();
    restoring = false;
    reset.hidden = location.hash.length < 2;
  };

  // --- controls ---

  const boxes = new Map(
    data.columns.map((column, place) => {
      const box = element("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        const found = table.getColumn(`c${place}`);
        box.checked ? found.show() : found.hide();
        remember();
      });
      choices.lastElementChild.append(element("label", { className: "choice" }, box, element("span", { dir: "auto" }, column.title)));
      return [`c${place}`, box];
    }),
  );

  // The library's headers answer to the mouse alone.
  const headersByKey = () => {
    for (const column of table.getColumns()) {
      const head = column.getElement();
      head.tabIndex = 0;
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        head.querySelector(".tabulator-col-content").click();
      });
    }
  };

  // A shadow at the right says that there are columns beyond it.
  const showEdge = () => {
    const holder = document.querySelector("#board .tabulator-tableholder");
    byId("board").classList.toggle("beyond", holder.scrollLeft + holder.clientWidth < holder.scrollWidth - 1);
  };

  const whenReady = () => {
    byId("board").setAttribute("aria-rowcount", rows.length);
    // Inside a grid only rows may take the focus; headers and links do, and bring into view what they stand in.
    document.querySelector("#board .tabulator-tableholder").removeAttribute("tabindex");
    headersByKey();
    restore();
    table.on("dataSorted", () => remember());
    for (const event of ["scrollHorizontal", "renderComplete", "columnVisibilityChanged"]) table.on(event, showEdge);
    addEventListener("resize", showEdge);
    showEdge();
    find.addEventListener("input", () => { filter(); remember(false); });
    rowChoice.addEventListener("change", () => { filter(); remember(); });
    reset.addEventListener("click", () => { hash.write({}); restore(); find.focus(); });
    byId("tools").addEventListener("submit", (event) => event.preventDefault());
    hash.onChange(restore);
    addEventListener("click", (event) => { if (!choices.contains(event.target)) choices.open = false; });
    choices.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      choices.open = false;
      choices.firstElementChild.focus();
    });
    document.documentElement.dataset.ready = "";
  };
  table.on("tableBuilt", whenReady);
})();

// Compares any two systems of a board; the address names both.
(() => {
  "use strict";
  const { element, json, number, hash, load, linesOf, verdict, pText, floats, evidence } = window.evalharness;
  const data = json("systems");
  const byId = (id) => document.getElementById(id);
  const places = new Map(data.systems.map((system, place) => [system.slug, place]));
  const SHOWN = 10;
  const EXACT_GROUPS = 50;
  const TIE = 1e-7; // values of samples are single floats
  let current = null; // what is compared now, so that an answer that comes late is not shown

  // --- which systems ---

  const fill = (select) => {
    const options = data.ranked.map((slug) => {
      const { name } = data.systems[places.get(slug)];
      return element("option", { value: slug }, name.length > 80 ? `${name.slice(0, 79)}…` : name);
    });
    select.replaceChildren(...options);
  };

  const chosen = () => {
    const wanted = hash.read(), [best, next] = data.ranked;
    const b = places.has(wanted.b) ? wanted.b : best;
    const a = places.has(wanted.a) ? wanted.a : b === best ? next ?? best : best;
    return { a, b };
  };

  const choose = () => {
    hash.write({ a: byId("a").value, b: byId("b").value });
    show();
  };

  // --- the numbers ---

  const spreadOf = (a, b, files) => (title) => {
    const [earlier, later] = places.get(a) < places.get(b) ? [a, b] : [b, a];
    return earlier === later ? 0 : floats(files[later].spreads[title])[places.get(earlier)];
  };

  // What is stored for the earlier and the later of two systems, turned round where they are asked for the other way.
  const sharedOf = (a, b, files) => {
    if (a === b) return {};
    if (places.get(a) < places.get(b)) return files[b].shared[a] ?? {};
    const turned = ([one, two, sd, groups, first, second, reason]) => [two, one, sd, groups, second, first, reason];
    return Object.fromEntries(Object.entries(files[a].shared[b] ?? {}).map(([title, found]) => [title, turned(found)]));
  };

  const bySample = (file, title) => {
    const values = floats(file.scores[title]);
    return new Map(file.places.map((place, row) => [place, values[row]]).filter(([, value]) => !Number.isNaN(value)));
  };

  // Values of the samples that both have, and how much better b is on each; what is but rounding is a tie.
  const pairsOf = (column, a, b) => {
    const first = bySample(a, column.title), second = bySample(b, column.title);
    return [...first].filter(([place]) => second.has(place)).map(([place, value]) => {
      const other = second.get(place), change = other - value;
      const tie = Math.abs(change) <= TIE * Math.max(Math.abs(value), Math.abs(other));
      return { place, a: value, b: other, change: tie ? 0 : change, gain: tie ? 0 : column.better === "higher" ? change : -change };
    });
  };

  const countsOf = (pairs) => {
    const wins = pairs.filter(({ gain }) => gain > 0).length, losses = pairs.filter(({ gain }) => gain < 0).length;
    return `${wins}/${pairs.length - wins - losses}/${losses}`;
  };

  // --- the table ---

  const TITLES = ["score", "a", "b", "b − a", "95 % interval", "p", "p Holm", "effect", "better/equal/worse", "verdict"];

  // Cells name their column: on a phone a row is a block of them, and the head is not seen.
  const cell = (place, text, className = "num") => element("td", { className, "data-title": TITLES[place] }, text);
  const interval = ({ low, high }) => (low === null ? "–" : `${number(low)} to ${number(high)}`);

  const row = (line, counts) => {
    const found = line.difference;
    const name = element("th", { scope: "row" }, element("bdi", {}, line.column.score), element("span", { className: "dim" }, line.column.better === "higher" ? " ↑" : " ↓"));
    const tone = { better: "good", worse: "bad" }[line.verdict] ?? "dim";
    const few = found.p !== null && found.groups < 30 ? `rests on ${found.groups} groups only` : "";
    const lost = line.bounds ? `whatever the lost samples were, the difference lies between ${line.bounds.map(number).join(" and ")}` : "";
    const notes = [line.note, lost, few].filter(Boolean).map((note) => element("span", { className: "note warn", dir: "auto" }, note));
    const effect = found.effect === null ? "–" : (found.effect < 0 ? "" : "+") + found.effect.toFixed(2);
    const shown = [number(line.a.value), number(line.b.value), element("strong", {}, number(found.value)), interval(found), pText(found.p), pText(line.adjusted), effect, counts ?? "–"];
    return element("tr", {}, name, ...shown.map((text, place) => cell(place + 1, text)), element("td", { className: `verdict ${tone}` }, element("span", { dir: "auto" }, verdict(line)), " ", ...notes));
  };

  const tableOf = (task, lines, counts) => {
    const head = element("tr", {}, ...TITLES.map((title, place) => element("th", { scope: "col", className: place && place < 9 ? "num" : "" }, title)));
    const caption = element("caption", {}, `b − a on ${task}. p is adjusted for the ${lines.length} scores (Holm); a difference is shown where it is at most 0.05.`);
    const table = element("table", {}, caption, element("thead", {}, head), element("tbody", {}, ...lines.map((line) => row(line, counts.get(line.column.title)))));
    return element("div", { className: "scroll stacked", tabIndex: 0, role: "region", "aria-label": `Table of scores on ${task}` }, table);
  };

  // The test needs the statistics of every sample, which only the command reads.
  const exactNote = (lines) => {
    const few = lines.some(({ difference: found }) => found.p !== null && found.se !== 0 && found.groups < EXACT_GROUPS);
    return few ? [element("p", { className: "dim" }, `Below ${EXACT_GROUPS} groups the command adds the p of an exact test, in which a and b change places.`)] : [];
  };

  const commandOf = (task, a, b, lines) => {
    const quoted = (text) => (/^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
    const scores = lines.map((line) => `--score ${quoted(line.column.score)}`).join(" ");
    return `evalharness compare ${quoted(a.records[task])} ${quoted(b.records[task])} ${scores}`;
  };

  const summary = (lines) => {
    const of = (wanted) => lines.filter((line) => line.verdict === wanted).length;
    const parts = [[of("better"), "better"], [of("worse"), "worse"]].filter(([count]) => count).map(([count, word]) => `${word} in ${count}`);
    const rest = lines.length - of("better") - of("worse");
    return `b is ${parts.length ? parts.join(", ") : "neither better nor worse"}${rest ? `; no difference is shown in ${rest} of ${lines.length} scores` : ""}.`;
  };

  // --- the samples ---

  const fieldsOf = (fields) =>
    Object.entries(fields ?? {}).map(([name, value]) => {
      const text = Array.isArray(value) ? value.join(" · ") || "none" : String(value);
      return [element("dt", {}, name), element("dd", { dir: "auto" }, text)];
    }).flat();

  // What a metric's values rest on: spans of the response, and of the passages that were found for them.
  const itemsOf = (found) =>
    Object.values(found ?? {}).flat().map((item, place) => ({ ...item, number: place + 1, tone: evidence.tone(item) }));

  const passages = (numbers, common, items) =>
    numbers.map((each) => {
      const [id, text] = common.passages[each];
      const spans = items.filter((item) => item.passage === id).map((item) => ({ ...item, start: item.passage_start, end: item.passage_end }));
      return element("li", { className: "passage" }, element("strong", { dir: "auto" }, id), " ", element("span", { dir: "auto" }, evidence.marked(text, spans, false)));
    });

  const side = (name, letter, value, file, common, place, unfolded) => {
    const title = element("h4", {}, `${letter} `, element("span", { className: "dim", dir: "auto" }, name), " ", element("span", { className: "num note" }, number(value)));
    const at = file ? file.places.indexOf(place) : -1;
    if (at < 0) return element("div", { className: "side" }, title, element("p", { className: "dim" }, "The texts of this system are not shown here."));
    const items = itemsOf(file.evidence[at]), said = file.responses[at], contexts = file.contexts[at], failure = file.failures[at];
    const text = element("p", { className: "response", dir: "auto" }, said ? evidence.marked(said, items, true) : element("em", { className: "dim" }, "no text"));
    const failed = failure ? element("p", { className: "note bad", dir: "auto" }, failure.kind ?? "failure") : null;
    const count = contexts?.length ? `${contexts.length} ${contexts.length === 1 ? "passage" : "passages"}` : null;
    const shown = count ? element("details", { open: unfolded }, element("summary", {}, count), element("ol", { className: "passages" }, passages(contexts, common, items))) : null;
    const made = element("div", { className: "side" }, title, text, failed, shown);
    evidence.link(made);
    return made;
  };

  const sampleCard = (pair, now, files, common, unfolded) => {
    const head = element("h3", {}, "Sample ", element("bdi", {}, common.ids[pair.place]), " ",
      element("span", { className: `num ${pair.gain > 0 ? "good" : pair.gain < 0 ? "bad" : "dim"}` }, `${pair.change > 0 ? "+" : ""}${number(pair.change)}`));
    const sides = element("div", { className: "sides" }, side(now.a.name, "a", pair.a, files[0], common, pair.place, unfolded), side(now.b.name, "b", pair.b, files[1], common, pair.place, unfolded));
    return element("article", { className: "card sample" }, head, element("dl", { className: "facts" }, ...fieldsOf(common.fields[pair.place])), sides);
  };

  const KINDS = { "": ({ gain }) => gain !== 0, better: ({ gain }) => gain > 0, worse: ({ gain }) => gain < 0, equal: ({ gain }) => gain === 0 };

  const texts = async (task, system) => (system.texts.includes(task) ? load(`samples/${data.tasks[task]}/${system.slug}`, `data/samples/${data.tasks[task]}/${system.slug}.js`) : null);

  const showSamples = async (now, count = SHOWN) => {
    const line = now.lines.find(({ column }) => column.title === byId("score").value);
    if (!line) return;
    const { task } = line.column, [a, b] = now.scores.get(task);
    const kept = pairsOf(line.column, a, b).filter(KINDS[byId("side").value]).sort((one, two) => Math.abs(two.change) - Math.abs(one.change) || one.place - two.place);
    const common = await load(`samples/${data.tasks[task]}`, `data/samples/${data.tasks[task]}.js`);
    const files = await Promise.all([texts(task, now.a), texts(task, now.b)]);
    if (current !== now) return;
    byId("samples").replaceChildren(...kept.slice(0, count).map((pair) => sampleCard(pair, now, files, common, line.column.of_passages)));
    byId("shown").textContent = `${Math.min(count, kept.length)} of ${kept.length} samples`;
    byId("more").hidden = count >= kept.length;
    byId("more").onclick = () => showSamples(now, count + SHOWN);
  };

  const offerSamples = (now) => {
    const offered = now.lines.filter(({ column }) => now.scores.get(column.task) && column.title in now.scores.get(column.task)[0].scores);
    byId("changed").hidden = offered.length === 0;
    const before = byId("score").value;
    byId("score").replaceChildren(...offered.map(({ column }) => element("option", { value: column.title }, column.title)));
    const told = offered.find(({ column }) => data.ranking.includes(column.title)) ?? offered[0];
    byId("score").value = offered.some(({ column }) => column.title === before) ? before : told?.column.title ?? "";
    return offered.length ? showSamples(now) : null;
  };

  // --- all of it ---

  const scoresOf = async (tasks, a, b) => {
    const both = tasks.filter((task) => a.scores.includes(task) && b.scores.includes(task));
    const one = (task, system) => load(`scores/${data.tasks[task]}/${system.slug}`, `data/scores/${data.tasks[task]}/${system.slug}.js`);
    return new Map(await Promise.all(both.map(async (task) => [task, await Promise.all([one(task, a), one(task, b)])])));
  };

  const answer = async (now) => {
    const [a, b] = [now.a.slug, now.b.slug];
    const files = Object.fromEntries(await Promise.all([a, b].map(async (slug) => [slug, await load(`systems/${slug}`, `data/systems/${slug}.js`)])));
    const tasks = Object.keys(data.tasks).filter((task) => task in now.a.records && task in now.b.records);
    now.scores = await scoresOf(tasks, now.a, now.b);
    const blocks = [];
    now.lines = [];
    for (const task of tasks) {
      const columns = data.columns.filter((column) => column.task === task);
      const lines = linesOf(columns, files[a], files[b], spreadOf(a, b, files), sharedOf(a, b, files));
      const pair = now.scores.get(task);
      const counts = new Map(pair ? lines.filter(({ column }) => column.title in pair[0].scores && column.title in pair[1].scores).map(({ column }) => [column.title, countsOf(pairsOf(column, ...pair))]) : []);
      const command = element("pre", { tabIndex: 0, role: "region", "aria-label": "The same on a command line" }, element("code", {}, commandOf(task, now.a, now.b, lines)));
      blocks.push(element("h2", {}, element("bdi", {}, task)), element("p", {}, summary(lines)), tableOf(task, lines, counts), element("p", { className: "dim command" }, "The same on a command line, from the board's folder:"), command, ...exactNote(lines));
      now.lines.push(...lines);
    }
    return blocks.length ? blocks : [element("p", {}, "These two systems have no task in common.")];
  };

  const show = async () => {
    const { a, b } = chosen();
    byId("a").value = a;
    byId("b").value = b;
    const now = { a: data.systems[places.get(a)], b: data.systems[places.get(b)] };
    current = now;
    byId("answer").setAttribute("aria-busy", "true");
    let blocks;
    try {
      blocks = await answer(now);
    } catch (error) {
      blocks = [element("p", { className: "bad" }, `The data of these systems cannot be read: ${error.message}. Keep the folder data beside this page.`)];
    }
    if (current !== now) return;
    const names = element("p", {}, "a is ", system(now.a), ", b is ", system(now.b), ".");
    byId("answer").replaceChildren(names, ...blocks);
    byId("answer").setAttribute("aria-busy", "false");
    await (now.lines ? offerSamples(now) : null);
    document.documentElement.dataset.ready = `${a} ${b}`;
  };

  const system = ({ name, slug }) => element("a", { href: `systems/${slug}.html`, dir: "auto" }, name);

  if (data.systems.length) {
    for (const id of ["a", "b"]) {
      fill(byId(id));
      byId(id).addEventListener("change", choose);
    }
    byId("swap").addEventListener("click", () => {
      [byId("a").value, byId("b").value] = [byId("b").value, byId("a").value];
      choose();
    });
    for (const id of ["score", "side"]) byId(id).addEventListener("change", () => showSamples(current));
    hash.onChange(show);
    show();
  } else {
    byId("answer").replaceChildren(element("p", {}, "The board has no systems yet."));
  }
})();

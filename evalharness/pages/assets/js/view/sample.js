// One sample in a dialog: all that its run knows of it.
(() => {
  "use strict";
  const { element, number, evidence, hash, view } = window.evalharness;
  const { meta, index } = view;
  const dialog = document.getElementById("sample");

  const json = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));
  const text = (value, className = "text") => element("div", { className, dir: "auto" }, value);
  const section = (title, ...content) => element("section", {}, element("h3", {}, title), ...content);
  const folded = (title, ...content) => element("details", {}, element("summary", { dir: "auto" }, title), ...content);
  const pre = (value) => element("pre", { dir: "auto", tabIndex: 0 }, json(value));
  const facts = (pairs) =>
    element("dl", { className: "facts" }, pairs.flatMap(([name, value]) => [
      element("dt", { dir: "auto" }, name), element("dd", { dir: "auto" }, json(value)),
    ]));
  const given = (value) => value !== null && value !== undefined;

  // Evidence of all metrics in one list, each item under a number of its own.
  const items = (sample) =>
    Object.entries(sample.evidence ?? {}).flatMap(([metric, found]) => found.map((item) => ({ metric, item })))
      .map((each, number) => ({ ...each, number, tone: evidence.tone(each.item, betterOf(each.metric)) }));
  const betterOf = (metric) => Object.values(meta.scores).find((score) => score.metric === metric)?.better;

  const responseSpans = (found) => found.map(({ item, number, tone }) => ({ start: item.start, end: item.end, number, tone }));
  const passageSpans = (found, id) =>
    found.filter(({ item }) => item.passage === id)
      .map(({ item, number, tone }) => ({ start: item.passage_start, end: item.passage_end, number, tone }));

  const response = (sample, row, found) => {
    const failed = view.failure(row);
    const why = failed && element("p", { className: "note bad" }, `${failed}${sample.failure?.message ? `: ${sample.failure.message}` : ""}`);
    if (!given(sample.response)) return section("Response", why ?? element("p", { className: "dim" }, "none"));
    const shown = sample.response === "" ? element("p", { className: "dim" }, "an empty text")
      : text(evidence.marked(sample.response, responseSpans(found), true), "text response");
    return section("Response", why, shown);
  };

  // What the model said, and what each transform of the chain made of it.
  const steps = (fields) => {
    if (!Array.isArray(fields?.transforms)) return null;
    const step = ({ by, text: made }) => element("li", {},
      element("span", { className: "dim" }, by === "model" ? "the model said" : by), pre(made));
    return folded("What the transforms made of the response", element("ol", { className: "plain", start: 0 }, fields.transforms.map(step)));
  };

  const PLACES = ["start", "end", "passage", "passage_start", "passage_end", "score", "status", "note"];
  const slice = (value, start, end) => [...value].slice(start, end).join("");
  const evidenceRow = (sample) => ({ metric, item, number: place, tone }) => {
    const quoted = given(item.start) && given(sample.response) ? slice(sample.response, item.start, item.end) : "";
    const rest = Object.entries(item).filter(([name]) => !PLACES.includes(name));
    return element("tr", { "data-evidence": place },
      element("th", { scope: "row", dir: "auto" }, quoted || `${metric} ${place + 1}`),
      element("td", { className: "num" }, given(item.score) ? [element("span", { className: `dot ${tone}`, "aria-hidden": "true" }), number(item.score)] : "–"),
      element("td", { dir: "auto" }, item.status ?? "–"),
      element("td", { dir: "auto" }, item.passage ?? "–"),
      element("td", { dir: "auto" }, item.note, rest.map(([name, value]) => element("div", {},
        element("span", { className: "dim" }, `${name}: `), Array.isArray(value) ? value.map(json).join(", ") : json(value)))));
  };
  const evidenceTable = (sample, found) => {
    const heads = ["part of the response", "score", "status", "passage", "to know"];
    return Object.entries(Object.groupBy(found, ({ metric }) => metric)).map(([metric, rows]) =>
      section(`Evidence of ${metric}`, element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Evidence of ${metric}` },
        element("table", {}, element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col", className: head === "score" ? "num" : "" }, head)))),
          element("tbody", {}, rows.map(evidenceRow(sample)))))));
  };

  const passage = (sample, found) => (context, place) => {
    const grade = sample.fields?.relevant?.[context.id];
    return element("li", { className: "passage" },
      element("p", { className: "head" },
        element("strong", { dir: "auto" }, context.id), " ",
        given(context.score) ? element("span", { className: "dim num" }, `retriever ${number(context.score.$numberDouble ? NaN : context.score)}`) : null, " ",
        given(grade) ? element("span", { className: grade > 0 ? "note good" : "note" }, `relevant: ${grade}`) : null),
      text(evidence.marked(context.text, passageSpans(found, context.id), false)));
  };
  const contexts = (sample, found) => {
    if (!given(sample.contexts)) return null;
    if (!sample.contexts.length) return section("Contexts", element("p", { className: "dim" }, "nothing was found"));
    return section("Contexts", element("ol", { className: "passages" }, sample.contexts.map(passage(sample, found))));
  };

  const scores = (row) => {
    const rows = Object.keys(meta.scores).map((name) => {
      const status = view.status(meta.scores[name].metric, row);
      const why = status && element("div", { className: status.startsWith("error") ? "bad" : "dim", dir: "auto" }, status);
      return element("tr", {}, element("th", { scope: "row", dir: "auto" }, name, why),
        element("td", { className: "num" }, number(index.scores[name][row])));
    });
    return section("Scores", element("table", { className: "compact" }, element("tbody", {}, rows)));
  };

  const references = (fields) => {
    const known = fields?.references;
    if (!Array.isArray(known)) return given(known) ? section("References", text(json(known))) : null;
    if (!known.length) return section("References", element("p", { className: "dim" }, "none: the question has no answer"));
    return section("References", element("ul", { className: "plain" }, known.map((each) => element("li", { dir: "auto" }, json(each)))));
  };

  // The choices of a question, with their likelihoods where a model gave them.
  const choices = (fields, response) => {
    if (!Array.isArray(fields?.choices)) return null;
    const choice = (value, place) => element("li", { dir: "auto" }, json(value), " ",
      Number.isFinite(fields.logprobs?.[place]) ? element("span", { className: "dim num" }, `log-likelihood ${number(fields.logprobs[place])} `) : null,
      [fields.target].flat().includes(place) ? element("span", { className: "note good" }, "target") : null,
      value === response ? element("span", { className: "note" }, "chosen") : null);
    return section("Choices", element("ol", { className: "plain", start: 0 }, fields.choices.map(choice)));
  };

  const prompt = (shown) => {
    if (shown.reason) return section("Prompt", element("p", { className: "dim" }, shown.reason));
    if (shown.turns) {
      return folded("Prompt, as the turns of a conversation", shown.turns.map((turn) =>
        element("div", { className: "turn" }, element("strong", {}, turn.role), pre(turn.content))));
    }
    return folded("Prompt", pre(shown.text));
  };

  const reply = (answer) => {
    const { text: said, ...rest } = answer;
    return element("li", {}, given(said) ? pre(said) : null, Object.keys(rest).length ? facts(Object.entries(rest)) : null);
  };
  const replies = (answers) =>
    Object.entries(answers ?? {}).filter(([, given]) => given.length).map(([metric, given]) =>
      folded(`Replies that ${metric} was given (${given.length})`, element("ol", {}, given.map(reply))));

  const statistics = (found) => {
    const known = Object.entries(found ?? {}).filter(([, values]) => given(values));
    if (!known.length) return null;
    return folded("Statistics", known.flatMap(([metric, values]) => [
      element("h4", { dir: "auto" }, metric), facts(Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)])),
    ]));
  };

  const OWN = ["input", "references", "transforms"];
  const fields = (found) => {
    const rest = Object.entries(found ?? {}).filter(([name, value]) => !OWN.includes(name) && given(value));
    return rest.length ? folded("Fields", facts(rest)) : null;
  };

  const input = (found) => (given(found?.input) ? section("Input", text(json(found.input))) : null);

  const body = (sample, row) => {
    const found = items(sample);
    const left = element("div", { className: "reading" },
      input(sample.fields), response(sample, row, found), steps(sample.fields), choices(sample.fields, sample.response), references(sample.fields), evidenceTable(sample, found), contexts(sample, found),
      prompt(sample.prompt), replies(sample.answers), fields(sample.fields), statistics(sample.statistics));
    const content = element("div", { className: "sample-body" }, left, element("div", { className: "beside" }, scores(row)));
    evidence.link(content);
    return content;
  };

  const button = (label, name, act, disabled = false) =>
    element("button", { type: "button", "aria-label": name, disabled, onclick: act }, label);

  const heading = (row) => {
    const repeat = index.repeat[row] ? `, repeat ${index.repeat[row]}` : "";
    const group = index.group[row] === null ? null : element("span", { className: "note", dir: "auto" }, `group: ${index.group[row]}`);
    return element("h2", { id: "sample-title", tabIndex: -1 }, element("span", { dir: "auto" }, index.id[row]), repeat, " ", group);
  };

  let around = [];
  let asked = 0;
  let shown = null;

  const fill = async (row) => {
    const mine = ++asked;
    const sample = await view.sample(row);
    if (mine !== asked) return;
    const place = around.indexOf(row);
    const step = (by) => () => show(around[place + by]);
    dialog.replaceChildren(
      element("header", {}, heading(row),
        element("div", { className: "steps" },
          button("‹", "Previous sample", step(-1), place < 1),
          element("span", { className: "dim num" }, place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${around.length.toLocaleString("en")}`),
          button("›", "Next sample", step(1), place < 0 || place + 1 >= around.length),
          button("Close", "Close", () => dialog.close()))),
      body(sample, row));
    dialog.scrollTop = 0;
    dialog.querySelector("#sample-title").focus();
  };

  const show = async (row) => {
    shown = row;
    hash.write({ sample: index.id[row], repeat: index.repeat[row] || null }, !dialog.open);
    if (!dialog.open) dialog.showModal();
    await fill(row);
  };

  // Opens a sample among those that the table lists, which the buttons step through.
  view.open = (row, rows) => {
    around = rows;
    return show(row);
  };

  dialog.addEventListener("close", () => {
    asked++;
    dialog.replaceChildren();
    hash.write({}, false);
    view.closed(shown);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, [role='button'], pre, .scroll")) return;
    if (event.key === "ArrowLeft") dialog.querySelector("[aria-label='Previous sample']").click();
    if (event.key === "ArrowRight") dialog.querySelector("[aria-label='Next sample']").click();
  });

  // The sample that the address names: a link to it, or the reader going back and forward.
  view.follow = (rows) => {
    const { sample, repeat = "0" } = hash.read();
    if (sample === undefined) {
      if (dialog.open) dialog.close();
      return;
    }
    const row = index.id.findIndex((id, place) => id === sample && String(index.repeat[place]) === repeat);
    if (row >= 0) view.open(row, rows);
  };
})();

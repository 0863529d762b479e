// Texts with the spans that evidence names, and the link between a span of the response and one of a passage.
(() => {
  "use strict";
  const { element } = window.evalharness;

  // Spans count characters; texts here count 16-bit units, two for a character such as an emoji.
  const unitsOf = (text) => {
    if (!/[\ud800-\udbff]/.test(text)) return (place) => Math.min(Math.max(place, 0), text.length);
    const starts = [];
    let unit = 0;
    for (const character of text) {
      starts.push(unit);
      unit += character.length;
    }
    starts.push(unit);
    return (place) => starts[Math.min(Math.max(place, 0), starts.length - 1)];
  };

  // How well a span is supported, as a class: colour is never the only sign, the number stands beside it.
  const tone = (item, better) => {
    if (typeof item.score !== "number") return "none";
    const support = better === "lower" ? 1 - item.score : item.score;
    return support >= 0.67 ? "high" : support >= 0.34 ? "middle" : "low";
  };

  // Text in pieces, those under a span as marks. `spans`: [{ start, end, number, tone }], which may overlap.
  const marked = (text, spans, button) => {
    const units = unitsOf(text);
    const placed = spans
      .filter((span) => Number.isInteger(span.start) && Number.isInteger(span.end))
      .map((span) => ({ ...span, from: units(span.start), to: units(span.end) }))
      .filter((span) => span.from < span.to);
    const edges = [...new Set([0, text.length, ...placed.flatMap((span) => [span.from, span.to])])].sort((a, b) => a - b);
    return edges.slice(0, -1).map((from, place) => {
      const over = placed.filter((span) => span.from <= from && span.to >= edges[place + 1]);
      const part = text.slice(from, edges[place + 1]);
      if (!over.length) return document.createTextNode(part);
      const mark = element("mark", { className: `span ${over.at(-1).tone}` }, part);
      mark.dataset.evidence = over.map((span) => span.number).join(" ");
      if (button) Object.assign(mark, { tabIndex: 0, role: "button" });
      return mark;
    });
  };

  // Lights up all that belongs to one piece of evidence while it is hovered, has the focus, or was chosen.
  const link = (root) => {
    let chosen = null;
    const numbers = (target) => target.closest?.("[data-evidence]")?.dataset.evidence.split(" ") ?? [];
    const light = (wanted) => {
      for (const part of root.querySelectorAll("[data-evidence]")) {
        part.classList.toggle("lit", part.dataset.evidence.split(" ").some((number) => wanted.includes(number)));
      }
    };
    const rest = () => light(chosen ?? []);
    const choose = (target) => {
      const wanted = numbers(target);
      if (!wanted.length) return;
      chosen = chosen?.join() === wanted.join() ? null : wanted;
      light(chosen ?? wanted);
      const place = [...root.querySelectorAll(".passage mark.lit")].at(0);
      if (chosen && !target.closest(".passage")) place?.scrollIntoView({ block: "nearest" });
    };
    root.addEventListener("pointerover", (event) => light(numbers(event.target).length ? numbers(event.target) : chosen ?? []));
    root.addEventListener("pointerleave", rest);
    root.addEventListener("focusin", (event) => light(numbers(event.target).length ? numbers(event.target) : chosen ?? []));
    root.addEventListener("focusout", rest);
    root.addEventListener("click", (event) => choose(event.target));
    root.addEventListener("keydown", (event) => {
      if (!["Enter", " "].includes(event.key) || event.target.getAttribute("role") !== "button") return;
      event.preventDefault();
      choose(event.target);
    });
  };

  window.evalharness.evidence = { marked, link, tone };
})();

// Draws every element with `data-chart`: the Vega-Lite spec stands in the JSON script that it names.
(() => {
  "use strict";
  const { json, color } = window.evalharness;

  // Colours and letters of the page, so that charts follow the theme. Specs name no colour but these roles.
  const config = () => {
    const text = color("--text"), dim = color("--dim"), line = color("--line"), accent = color("--accent");
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: "transparent",
      font,
      view: { stroke: null },
      axis: {
        labelColor: dim, titleColor: dim, gridColor: line, domainColor: line, tickColor: line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 200, titlePadding: 8,
      },
      legend: { labelColor: text, titleColor: dim, labelFontSize: 12, titleFontWeight: "normal", labelLimit: 220 },
      title: { color: text },
      bar: { color: accent },
      rect: { color: accent },
      rule: { color: accent },
      point: { color: accent, filled: true, size: 60 },
      line: { color: dim },
      tick: { color: accent },
      text: { color: text, fontSize: 12 },
      range: { category: [accent, color("--second"), color("--dim")] },
    };
  };

  const options = () => ({
    actions: false,
    ast: true, // expressions are interpreted: the policy forbids code from strings
    defaultStyle: false, // styles stand in the style sheet: the policy forbids others
    renderer: "svg",
    config: config(),
    tooltip: { theme: "page", disableDefaultStyle: true },
  });

  // The figure already says what the chart shows; the drawing itself has nothing that can be focused.
  const hideDrawing = (host) => {
    host.querySelector("svg")?.setAttribute("aria-hidden", "true");
    for (const part of host.querySelectorAll("[role^='graphics']")) part.removeAttribute("role");
  };

  // A chart as wide as its box needs to know how wide that is before it is drawn.
  const draw = async (host) => {
    const result = await vegaEmbed(host, json(host.dataset.chart), options());
    hideDrawing(host);
    result.view.addResizeListener(() => hideDrawing(host));
  };

  const hosts = () => [...document.querySelectorAll("[data-chart]")];

  // What is out of sight is drawn when the reader comes near, so that the page is ready sooner.
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        near.unobserve(entry.target);
        entry.target.dataset.drawn = "";
        draw(entry.target);
      }
    },
    { rootMargin: "400px" },
  );

  for (const host of hosts()) near.observe(host);
  document.addEventListener("themechange", () => {
    for (const host of hosts().filter((each) => "drawn" in each.dataset)) draw(host);
  });
  addEventListener("beforeprint", () => {
    for (const host of hosts().filter((each) => !("drawn" in each.dataset))) draw(host);
  });
  window.evalharness.draw = draw;
})();

// Light, dark, or what the reader's system says. Runs before the first paint, so that no page flashes.
(() => {
  "use strict";
  const KEY = "evalharness-theme";
  const NEXT = { auto: "light", light: "dark", dark: "auto" };

  const read = () => {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto"; // storage is forbidden
    }
  };

  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The choice then holds for this page only.
    }
  };

  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };

  let theme = NEXT[read()] ? read() : "auto";
  apply(theme);

  const system = matchMedia("(prefers-color-scheme: dark)");
  const announce = () => document.dispatchEvent(new CustomEvent("themechange"));
  system.addEventListener("change", announce);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => {
      button.textContent = `Theme: ${theme}`;
    };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      theme = NEXT[theme];
      keep(theme);
      apply(theme);
      label();
      announce();
    });
  });
})();

// Small tools that the other scripts share, under one name. Text is only ever set as text.
(() => {
  "use strict";

  // An element with properties, attributes (`aria-*`, `data-*`, `role`, `dir`, ...) and children; null children are left out.
  const element = (tag, given = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) {
      if (value === null || value === undefined) continue;
      if (name in made && !name.includes("-")) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return made;
  };

  const json = (id) => JSON.parse(document.getElementById(id).textContent);

  // `value.toFixed(digits)` as Python rounds: a value exactly between two goes to the even one.
  const fixed = (value, digits) => {
    const scaled = Math.abs(value) * 10 ** digits;
    const between = Number.isInteger(value * 2 ** (digits + 1)) && scaled % 1 === 0.5;
    if (!between) return value.toFixed(digits);
    return ((Math.sign(value) * 2 * Math.round(scaled / 2)) / 10 ** digits).toFixed(digits);
  };

  // The same rule as `number` in evalharness/results/wording.py.
  const number = (value) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size && size < 0.001) return String(Number(value.toPrecision(3)));
    if (size < 1000) return fixed(value, size < 10 ? 3 : 2);
    return Number(fixed(value, 0)).toLocaleString("en");
  };

  // Data files are scripts that call `evalharness.receive(key, value)`: pages on file:// may not fetch.
  const waiting = new Map();
  const received = new Map();

  const receive = (key, value) => {
    received.set(key, value);
    waiting.get(key)?.(value);
    waiting.delete(key);
  };

  const load = (key, source) => {
    if (received.has(key)) return Promise.resolve(received.get(key));
    return new Promise((resolve, reject) => {
      const script = element("script", { src: source });
      waiting.set(key, resolve);
      script.addEventListener("error", () => reject(new Error(`${source} could not be read`)));
      document.head.append(script);
    });
  };

  // Long rows of numbers come as base64 of little-endian floats, NaN where there is none.
  const floats = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 4 }, (_, place) => view.getFloat32(4 * place, true));
  };

  // The view that a page shows is in the hash, so that it can be linked to; only what differs from the default is.
  const hash = {
    read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1))),
    // `push` makes a step that the back button goes to; typing in a search box makes none.
    write: (values, push = true) => {
      const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
      const text = new URLSearchParams(kept).toString();
      if (text === location.hash.slice(1)) return;
      const address = text ? `#${text}` : location.pathname + location.search;
      if (push) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    },
    // Called when the reader goes back, forward, or follows a link to another view of the same page.
    onChange: (listener) => {
      addEventListener("popstate", listener);
      addEventListener("hashchange", listener);
    },
  };

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  window.evalharness = { element, json, number, receive, load, floats, hash, color };
})();

// The paired difference of two systems, and what it shows in words: the rules of evalharness/scoring/paired.py, power.py,
// families.py and evalharness/comparison/words.py, from what the data files hold.
(() => {
  "use strict";
  const { number } = window.evalharness;
  const LEVEL = 0.95, POWER = 0.8, ROUNDING = 1e-7, FEWEST_GROUPS = 5;

  const quantile = (df, level) => jStat.studentt.inv(level, df);
  const twoSided = (t, df) => (t === 0 ? 1 : jStat.ibeta(df / (df + t * t), df / 2, 0.5));

  const without = (value, groups, reason) => ({ value, low: null, high: null, p: null, se: null, df: null, groups, effect: null, reason });

  const ofSpread = (value, sd, groups, rounding) => {
    const df = groups - 1;
    if (sd <= rounding) {
      if (Math.abs(value) > rounding) return { ...without(value, groups, "no variation"), se: 0, df };
      return { value, low: value, high: value, p: 1, se: 0, df, groups, effect: 0, reason: null };
    }
    const half = quantile(df, (1 + LEVEL) / 2) * sd;
    return {
      value, low: value - half, high: value + half, p: twoSided(value / sd, df), se: sd, df, groups,
      effect: value / (sd * Math.sqrt(groups)), reason: null,
    };
  };

  const unlike = (a, b) => {
    if (a.signature !== b.signature) return `they were measured differently: ${a.signature} and ${b.signature}`;
    if (a.generator !== b.generator) return `their replicates are not aligned: ${a.generator} and ${b.generator}`;
    return null;
  };

  // `shared`: values, spread, groups, samples and reason over the samples of both, where the two scores are over different ones.
  const compareShared = ([first, second, sd, groups, , , reason]) => {
    if (first === null || second === null) return without(null, 0, reason);
    if (sd === null) return without(second - first, groups, reason);
    return ofSpread(second - first, sd, groups, ROUNDING * Math.max(Math.abs(first), Math.abs(second)));
  };

  const difference = (a, b, sd, shared) => {
    if (a.value === null || b.value === null) {
      const [side, score] = a.value === null ? ["the first", a] : ["the second", b];
      return without(null, 0, `${side} system has no value: ${score.reason}`);
    }
    const reason = unlike(a, b);
    const value = b.value - a.value, groups = Math.min(a.groups, b.groups);
    if (reason) return without(value, groups, reason);
    if (shared) return compareShared(shared);
    if (groups < FEWEST_GROUPS) return without(value, groups, `fewer than ${FEWEST_GROUPS} groups`);
    if (!Number.isFinite(sd)) return without(value, groups, "no aligned replicates to pair");
    return ofSpread(value, sd, groups, ROUNDING * Math.max(Math.abs(a.value), Math.abs(b.value)));
  };

  // Holm: the smallest p times the number of tests, the next times one less, none below the one before.
  const holm = (values) => {
    const order = values.map((p, place) => [p, place]).filter(([p]) => p !== null).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const adjusted = values.map(() => null);
    let largest = 0;
    order.forEach(([p, place], rank) => {
      largest = Math.max(largest, Math.min(1, (order.length - rank) * p));
      adjusted[place] = largest;
    });
    return adjusted;
  };

  const judge = (line) => {
    const { difference: found, adjusted, a } = line;
    if (found.value === null || adjusted === null) return "unknown";
    const gain = a.better === "higher" ? found.value : -found.value;
    if (found.se === 0 && gain === 0) return "same";
    if (adjusted > 1 - LEVEL) return "not shown";
    return gain > 0 ? "better" : "worse";
  };

  // --- in words ---

  const span = ({ range }) => (range && range[0] !== null && range[1] !== null ? range[1] - range[0] : null);

  const rounded = (value, least = 0) => {
    const fixed = (digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    if (value === 0 || (least && Math.abs(value) >= 10 ** -least)) return fixed(least);
    const leading = 1 - Math.floor(Math.log10(Math.abs(value)));
    return fixed(Math.min(Math.max(leading, least), 12));
  };

  const plain = (value, score) => (span(score) === null ? rounded(value) : rounded((100 * value) / span(score), 1));
  const unit = (score) => (span(score) !== null ? " points" : score.unit ? ` ${score.unit}` : "");
  const amount = (value, score) => plain(value, score) + unit(score);
  const pText = (p) => (p === null ? "–" : p < 0.001 ? "<0.001" : number(p));

  const moreSamples = (line) => {
    const { difference: found, a, b } = line;
    if (!found.se || found.df === null) return "these samples say nothing of how many would";
    const whole = span(a);
    const [step, name] = whole === null ? [Math.max(Math.abs(a.value), Math.abs(b.value)) / 100, "1 %"] : [whole / 100, "1 point"];
    const normal = jStat.normal.inv((1 + LEVEL) / 2, 0, 1) + jStat.normal.inv(POWER, 0, 1);
    const needed = step > 0 ? Math.max(1, Math.ceil(line.samples * ((normal * found.se) / step) ** 2)) : line.samples;
    if (needed > line.samples) return `${(needed - line.samples).toLocaleString("en")} more samples would detect one of ${name}`;
    const least = (quantile(found.df, (1 + LEVEL) / 2) + jStat.normal.inv(POWER, 0, 1)) * found.se;
    return `one of ${amount(least, a)} would have been detected`;
  };

  const sizes = ({ difference: found, a }) => {
    const sign = Math.sign(found.value);
    const [least, most] = [sign * found.low, sign * found.high].sort((one, two) => one - two);
    return `${plain(least, a)} to ${plain(most, a)}`;
  };

  const verdict = (line, name = "b") => {
    const { difference: found, a, adjusted } = line;
    if (line.verdict === "unknown" || found.value === null) return `cannot be compared: ${found.reason}`;
    if (line.verdict === "same") return "no difference at all: the systems agree on every sample";
    if (line.verdict !== "not shown") return `${name} is ${line.verdict} by ${amount(Math.abs(found.value), a)}, 95 % ${sizes(line)}`;
    const alone = found.p <= 1 - LEVEL ? ` among so many scores (p ${pText(found.p)} alone, ${pText(adjusted)} in the family)` : "";
    return `no difference shown${alone}; ${moreSamples(line)}`;
  };

  // One line a score that both systems have, judged as one family of tests.
  const linesOf = (columns, a, b, spread, shared) => {
    const lines = columns.filter(({ title }) => a.scores[title] && b.scores[title]).map((column) => {
      const { title } = column;
      const first = { ...a.scores[title], ...{ better: column.better, unit: column.unit } };
      const second = b.scores[title], over = shared[title];
      // Over the samples of both, values are those of these samples alone.
      const [one, two] = over ? [{ ...first, value: over[0] }, { ...second, value: over[1] }] : [first, second];
      const samples = over ? Math.min(over[4], over[5]) : Math.min(first.samples, second.samples);
      const found = difference(first, second, spread(title), over);
      return { column, a: one, b: two, samples, difference: found, note: noteOf(first, second, over) };
    });
    const adjusted = holm(lines.map((line) => line.difference.p));
    return lines.map((line, place) => {
      const judged = { ...line, adjusted: adjusted[place] };
      return { ...judged, verdict: judge(judged) };
    });
  };

  const noteOf = (a, b, shared) => {
    if (a.value === null || b.value === null || (a.samples === b.samples && a.fingerprint === b.fingerprint)) return "";
    const counts = a.samples === b.samples ? "as many in both" : `${a.samples.toLocaleString("en")} and ${b.samples.toLocaleString("en")}`;
    return `over different samples (${counts})${shared ? `; compared over the ${shared[4].toLocaleString("en")} of both` : ""}`;
  };

  Object.assign(window.evalharness, { linesOf, verdict, pText });
})();

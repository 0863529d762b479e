// The paired difference of two systems, and what it shows in words: the rules of evalharness/scoring/paired.py, power.py,
// families.py and evalharness/comparison/words.py, from what the data files hold.
(() => {
  "use strict";
  const { number } = window.evalharness;
  const LEVEL = 0.95, POWER = 0.8, ROUNDING = 1e-7, FEWEST_GROUPS = 5;

  const quantile = (df, level) => jStat.studentt.inv(level, df);
  const twoSided = (t, df) => (t === 0 ? 1 : jStat.ibeta(df / (df + t * t), df / 2, 0.5));

  const without = (value, groups, reason) => ({ value, low: null, high: null, p: null, se: null, df: null, groups, effect: null, reason });

  const span = ({ range }) => (range && range[0] !== null && range[1] !== null ? range[1] - range[0] : null);

  // An interval within the differences that two scores of a range can have.
  const within = (low, high, whole) => (whole === null ? { low, high } : { low: Math.max(low, -whole), high: Math.min(high, whole) });

  // The same difference in all groups has a width all the same, where the range is known; p is that of the sign-flip test.
  const noVariation = (value, groups, whole) => {
    const df = groups - 1, found = { ...without(value, groups, null), p: value === 0 ? 1 : 2 ** (1 - groups), se: 0, df };
    if (whole === null) return { ...found, reason: "no variation" };
    const c = quantile(df, (1 + LEVEL) / 2) ** 2, half = (whole * c) / (groups + c);
    return { ...found, ...within(value - half, value + half, whole) };
  };

  const ofSpread = (a, b, sd, groups, whole) => {
    const value = b - a, rounding = ROUNDING * Math.max(Math.abs(a), Math.abs(b));
    if (sd <= rounding) return noVariation(Math.abs(value) <= rounding ? 0 : value, groups, whole);
    const df = groups - 1, half = quantile(df, (1 + LEVEL) / 2) * sd;
    return {
      value, ...within(value - half, value + half, whole), p: twoSided(value / sd, df), se: sd, df, groups,
      effect: value / (sd * Math.sqrt(groups)), reason: null,
    };
  };

  const unlike = (a, b) => {
    if (a.signature !== b.signature) return `they were measured differently: ${a.signature} and ${b.signature}`;
    const aligned = a.generator && a.generator === b.generator && a.clustered === b.clustered;
    return aligned ? null : `their replicates are not aligned: ${a.generator || "none"} and ${b.generator || "none"}`;
  };

  // Fingerprints are sums mod 2^64: that of samples asked three times is three times that of samples asked once.
  const sameSamples = (a, b) => {
    const times = (one, other) => BigInt.asUintN(64, BigInt(`0x${one.fingerprint || "0"}`) * BigInt(other.samples));
    return times(a, b) === times(b, a);
  };

  // `shared`: values, spread, groups, samples and reason over the samples of both, where the two scores are over different ones.
  const compareShared = ([first, second, sd, groups, , , reason], whole) => {
    if (first === null || second === null) return without(null, 0, reason);
    if (sd === null) return without(second - first, groups, reason);
    return ofSpread(first, second, sd, groups, whole);
  };

  const difference = (a, b, sd, shared) => {
    if (a.value === null || b.value === null) {
      const [side, score] = a.value === null ? ["the first", a] : ["the second", b];
      return without(null, 0, `${side} system has no value: ${score.reason}`);
    }
    const reason = unlike(a, b);
    const value = b.value - a.value, groups = Math.min(a.groups, b.groups);
    if (reason) return without(value, groups, reason);
    if (shared) return compareShared(shared, span(a));
    if (groups < FEWEST_GROUPS) return without(value, groups, `fewer than ${FEWEST_GROUPS} groups`);
    if (!Number.isFinite(sd)) return without(value, groups, "no aligned replicates to pair");
    return ofSpread(a.value, b.value, sd, groups, span(a));
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

  const notExcluded = ({ difference: found, a }) => (found.high ? `; one of up to ${amount(found.high, a)} is not excluded` : "");

  const sizes = ({ difference: found, a }) => {
    if (found.low === null) return "without an interval";
    const sign = Math.sign(found.value);
    const [least, most] = [sign * found.low, sign * found.high].sort((one, two) => one - two);
    return `95 % ${plain(least, a)} to ${plain(most, a)}`;
  };

  const verdict = (line, name = "b") => {
    const { difference: found, a, adjusted } = line;
    if (line.verdict === "unknown" || found.value === null) return `cannot be compared: ${found.reason}`;
    if (line.verdict === "same") return `no difference in any group${notExcluded(line)}`;
    if (line.verdict !== "not shown") return `${name} is ${line.verdict} by ${amount(Math.abs(found.value), a)}, ${sizes(line)}`;
    const alone = found.p <= 1 - LEVEL ? ` among so many scores (p ${pText(found.p)} alone, ${pText(adjusted)} in the family)` : "";
    return `no difference shown${alone}; ${moreSamples(line)}`;
  };

  // One line a score that both systems have, judged as one family of tests.
  const linesOf = (columns, a, b, spread, shared) => {
    // The very same system differs from itself by nothing.
    const same = (task) => a.identities[task] !== undefined && a.identities[task] === b.identities[task];
    const certain = (found, task) => (found.se === 0 && found.value === 0 && same(task) ? { ...found, low: 0, high: 0 } : found);
    const lines = columns.filter(({ title }) => a.scores[title] && b.scores[title]).map((column) => {
      const { title } = column;
      const first = { ...a.scores[title], ...{ better: column.better, unit: column.unit } };
      const second = b.scores[title], over = shared[title];
      // Over the samples of both, values are those of these samples alone.
      const [one, two] = over ? [{ ...first, value: over[0] }, { ...second, value: over[1] }] : [first, second];
      const samples = over ? Math.min(over[4], over[5]) : Math.min(first.samples, second.samples);
      const found = certain(difference(first, second, spread(title), over), column.task);
      return { column, a: one, b: two, samples, difference: found, bounds: boundsOf(first, second), note: noteOf(first, second, over) };
    });
    const adjusted = holm(lines.map((line) => line.difference.p));
    return lines.map((line, place) => {
      const judged = { ...line, adjusted: adjusted[place] };
      return { ...judged, verdict: judge(judged) };
    });
  };

  // The least and the most that the difference can be, whatever the samples had given that were lost; null without such.
  const boundsOf = (a, b) => {
    if ((a.bounds === null && b.bounds === null) || a.value === null || b.value === null) return null;
    const [first, second] = [a, b].map(({ bounds, value }) => bounds ?? [value, value]);
    return [second[0] - first[1], second[1] - first[0]];
  };

  const noteOf = (a, b, shared) => {
    if (a.value === null || b.value === null || sameSamples(a, b)) return "";
    const counts = a.samples === b.samples ? "as many in both" : `${a.samples.toLocaleString("en")} and ${b.samples.toLocaleString("en")}`;
    return `over different samples (${counts})${shared ? `; compared over the ${shared[4].toLocaleString("en")} of both` : ""}`;
  };

  Object.assign(window.evalharness, { linesOf, verdict, pText });
})();

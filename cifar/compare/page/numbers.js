// Numbers as text. A value that is missing is null everywhere, and shown as a dash.

const report = JSON.parse(byId("report").textContent);
const PERCENT = report.unit === "fraction";
const NONE = "–";

const known = (value) => value !== null && value !== undefined;
const hundredfold = (value) => (known(value) ? 100 * value : null);
/** The compared metric as it is shown: fractions in percent. groups.js and runs have it in these units already. */
const inUnits = (value) => (PERCENT ? hundredfold(value) : value);
const UNIT = PERCENT ? " %" : "";
const POINTS = PERCENT ? " points" : "";

const decimals = (value, digits) =>
  known(value)
    ? value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : NONE;
const signed = (text) => (text.startsWith("-") ? text.replace("-", "−") : Number(text) === 0 ? text : `+${text}`);

/** A value of the metric that was put into its units. */
const metricText = (value) => (known(value) ? (PERCENT ? decimals(value, 2) : significant(value)) : NONE);
const differenceText = (value) => (known(value) ? signed(metricText(value)) : NONE);
const significant = (value, digits = 4) => (known(value) ? String(Number(value.toPrecision(digits))) : NONE);
const pText = (p) => (!known(p) ? NONE : p < 0.001 ? "< 0.001" : p.toFixed(3));
const withSign = (p) => (p < 0.001 ? pText(p) : `= ${pText(p)}`);
const rangeText = (ci, text) => (known(ci) ? ci.map(text).join(" to ") : NONE);

function durationText(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 60) return `${decimals(seconds, seconds < 10 ? 1 : 0)} s`;
  return seconds < 3600 ? `${decimals(seconds / 60, 1)} min` : `${decimals(seconds / 3600, 2)} h`;
}

function bytesText(bytes) {
  if (!known(bytes)) return NONE;
  return bytes < 2 ** 30 ? `${decimals(bytes / 2 ** 20, 0)} MiB` : `${decimals(bytes / 2 ** 30, 2)} GiB`;
}

function countText(count) {
  if (!known(count)) return NONE;
  if (count < 1e4) return decimals(count, 0);
  return count < 1e6 ? `${decimals(count / 1e3, 0)} k` : `${decimals(count / 1e6, 2)} M`;
}

const plural = (count, noun) => `${decimals(count, 0)} ${noun}${count === 1 ? "" : "s"}`;

/** The unit in which times up to `seconds` are read best. */
function timeUnit(seconds) {
  if (seconds < 300) return { name: "s", seconds: 1 };
  return seconds < 3 * 3600 ? { name: "min", seconds: 60 } : { name: "h", seconds: 3600 };
}

/** Not Math.min(...values): too many arguments for a thousand runs. */
const smallest = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

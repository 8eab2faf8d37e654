// Figures as people read them. What is not known is a dash, never a zero.

export const UNKNOWN = '\u2013';

const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function count(value) {
  return isKnown(value) ? grouped.format(value) : UNKNOWN;
}

// Three digits are enough to compare by, and few enough to read in passing.
function threeDigits(value) {
  const size = Math.abs(value);
  if (size >= 100 || size === 0) return grouped.format(value);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}

export function number(value) {
  return isKnown(value) ? threeDigits(value) : UNKNOWN;
}

export function milliseconds(value) {
  return isKnown(value) ? `${threeDigits(value)} ms` : UNKNOWN;
}

export function perSecond(value) {
  return isKnown(value) ? `${threeDigits(value)}/s` : UNKNOWN;
}

export function bytes(value) {
  if (!isKnown(value)) return UNKNOWN;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let size = value;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : threeDigits(size)} ${units[unit]}`;
}

// A length of time: the two largest units.
export function duration(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// How long ago, in a fixed width for the first hundred seconds.
export function ago(ms) {
  if (!isKnown(ms)) return UNKNOWN;
  return ms < 100000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}

const clockFormat = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short' });

// The reader's own time of day.
export function clock(atMs) {
  return isKnown(atMs) ? clockFormat.format(atMs) : UNKNOWN;
}

export function dayAndClock(atMs) {
  return `${dayFormat.format(atMs)} ${clockFormat.format(atMs)}`;
}

export function iso(atMs) {
  return isKnown(atMs) ? new Date(atMs).toISOString() : '';
}

export function plural(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

// Round-trip times, from the row's node to the column's.

import { byId, element, keep, setAttributes, setText } from './dom.js';
import { UNKNOWN, ago, number } from './format.js';
import { SILENT_MS } from './model.js';

const NAME_LENGTH_MAX = 8;

function cellOf(from, to) {
  if (from === to) return { text: '\u00b7', tone: 'none' };
  if (!from.rtt_ms) return { text: UNKNOWN, tone: 'old', title: `${from.id} was never heard` };
  const isOld = !from.self && from.age_ms > SILENT_MS;
  const title = isOld ? `as ${from.id} said ${ago(from.age_ms)} ago` : `${from.id} to ${to.id}`;
  const value = from.rtt_ms[to.id];
  if (value === null) return { text: '\u2715', label: 'no connection', tone: isOld ? 'old' : 'bad', title };
  return { text: number(value), tone: isOld || value === undefined ? 'old' : null, title };
}

// Bars behind the figures: their lengths compare at a glance what digits compare exactly.
function share(from, to, largest) {
  const value = from === to || !from.rtt_ms ? 0 : from.rtt_ms[to.id];
  return value ? Math.max(value / largest, 0.02) : 0;
}

// Machines' names are long; where each stands in a region of its own, that is as clear.
function labelsOf(nodes) {
  const regions = new Set(nodes.map((node) => node.region).filter(Boolean));
  const isLong = nodes.some((node) => node.id.length > NAME_LENGTH_MAX);
  return (node) => (isLong && regions.size === nodes.length ? node.region : node.id);
}

function updateHeading(cell, scope, text, title) {
  setAttributes(cell, { scope, title });
  setText(cell, text);
}

function updateRow(row, from, { nodes, largest, labelOf }) {
  keep(row, [null, ...nodes], (to) => (to ? to.identity : 'head'), (to) => element(to ? 'td' : 'th'), (cell, to) => {
    if (!to) {
      updateHeading(cell, 'row', labelOf(from), from.id);
      return;
    }
    const { text, label, tone, title } = cellOf(from, to);
    setText(cell, text);
    setAttributes(cell, { 'data-tone': tone, title, 'aria-label': label });
    cell.style.setProperty('--share', share(from, to, largest).toFixed(3));
  });
}

function updateHead(head, { nodes, labelOf }) {
  keep(head, [null, ...nodes], (to) => (to ? to.identity : 'head'), (to) => element(to ? 'th' : 'td'), (cell, to) => {
    if (to) updateHeading(cell, 'col', labelOf(to), to.id);
  });
}

function largestOf(nodes) {
  const known = nodes.flatMap((node) => Object.values(node.rtt_ms ?? {})).filter((value) => value > 0);
  return Math.max(...known, 0.001);
}

export function createMatrix() {
  const head = element('tr');
  const body = element('tbody');
  byId('matrix').append(element('thead', {}, head), body);
  return function update({ nodes }) {
    const shown = { nodes, largest: largestOf(nodes), labelOf: labelsOf(nodes) };
    byId('matrix').style.setProperty('--columns', nodes.length + 1);
    updateHead(head, shown);
    keep(body, nodes, (node) => node.identity, () => element('tr'),
      (row, from) => updateRow(row, from, shown));
  };
}

// A bar for each node's log, all on one scale of indexes.

import { byId, drawing, element, keep, setAttributes, setText } from './dom.js';
import { count } from './format.js';

// Drawn in thousandths of the bar's width.
const WIDTH = 1000;

const PARTS = [
  ['kept', 'first', 'snapshot'],
  ['applied', 'snapshot', 'applied'],
  ['committed', 'applied', 'commit'],
  ['open', 'commit', 'last'],
];

function createBar() {
  const name = element('span', { class: 'log-name' });
  const bar = drawing('svg', {
    viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: 'none', class: 'log-bar', role: 'img',
  });
  bar.append(
    drawing('rect', { class: 'ground', width: WIDTH, height: 10 }),
    ...PARTS.map(([part]) => drawing('rect', { class: part, height: 10 })),
    drawing('rect', { class: 'end', width: 3, height: 10 }),
  );
  return element('div', { class: 'log' }, name, bar, element('span', { class: 'log-text' }));
}

function describe({ log, id }) {
  return `${id}: kept from ${count(log.first)}, state on disk to ${count(log.snapshot)}, ` +
    `applied ${count(log.applied)}, committed ${count(log.commit)}, last ${count(log.last)}`;
}

function updateBar(node, member, place) {
  const [name, bar, text] = node.children;
  const { log } = member;
  node.classList.toggle('is-old', !member.isUp);
  setText(name, member.id);
  setText(text, log ? `${count(log.applied)} / ${count(log.last)}` : 'never heard');
  if (!log) return;
  const title = describe(member);
  node.title = title;
  setAttributes(bar, { 'aria-label': title });
  PARTS.forEach(([, from, to], i) => {
    const x = place(Math.max(log[from], log.first - 1));
    setAttributes(bar.children[i + 1], { x, width: Math.max(place(log[to]) - x, 0) });
  });
  setAttributes(bar.lastChild, { x: Math.max(place(log.last) - 3, 0) });
}

export function createLogs() {
  const list = byId('logs');
  const bars = element('div', { class: 'log-rows' });
  const scale = element('p', { class: 'log-scale' }, element('span'), element('span'));
  list.append(bars, scale);
  return function update({ nodes }) {
    const logs = nodes.map((node) => node.log).filter(Boolean);
    const low = Math.max(Math.min(...logs.map((log) => Math.min(log.first, log.snapshot))) - 1, 0);
    const high = Math.max(...logs.map((log) => log.last), low + 1);
    const place = (index) => Math.round(WIDTH * (Math.max(index, low) - low) / (high - low));
    keep(bars, nodes, (node) => node.identity, createBar, (bar, node) => updateBar(bar, node, place));
    setText(scale.firstChild, logs.length ? count(low + 1) : '');
    setText(scale.lastChild, logs.length ? count(high) : '');
  };
}

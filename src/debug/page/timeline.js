// What happened, newest first, as the node kept it.

import { byId, element, setText } from './dom.js';
import { dayAndClock, iso } from './format.js';

const ENTRIES_MAX = 500;
const LEVELS = ['info', 'warn', 'error'];
const MARKS = { info: '\u00b7', warn: '!', error: '\u2715' };

function createEntry(entry) {
  const level = LEVELS.includes(entry.level) ? entry.level : 'info';
  const parts = [
    element('time', { datetime: iso(entry.at_ms) }),
    element('span', { class: 'level' }),
    element('span', { class: 'kind' }),
    element('span', { class: 'text' }),
  ];
  const texts = [dayAndClock(entry.at_ms), `${MARKS[level]} ${level}`, entry.kind.replaceAll('_', ' '), entry.text];
  parts.forEach((part, i) => setText(part, texts[i]));
  return element('li', { 'data-level': level, 'data-id': entry.id }, ...parts);
}

export function createTimeline() {
  const list = byId('timeline');
  const choice = byId('timeline-level');
  const known = new Set();

  function filter(item) {
    item.hidden = LEVELS.indexOf(item.dataset.level) < LEVELS.indexOf(choice.value);
  }

  choice.addEventListener('change', () => [...list.children].forEach(filter));

  // A node that was started again tells all it kept, some of which may be known.
  return function add(entry) {
    if (known.has(entry.id)) return;
    known.add(entry.id);
    const item = createEntry(entry);
    filter(item);
    list.prepend(item);
    if (list.children.length > ENTRIES_MAX) {
      known.delete(list.lastChild.dataset.id);
      list.lastChild.remove();
    }
  };
}

// The key browser, where the node was told to have one (DEBUG_KEYS): a page of keys at a time, as
// this node has them.

import { byId, setText } from './dom.js';
import { bytes, clock, count, iso, plural } from './format.js';
import { createTable } from './table.js';

// Of a longer value the node sends the beginning.
const VALUE_BYTES_MAX = 256;

// Bytes that are not text come as \xNN; control characters are given the same look.
const visible = (text) => text.replace(/[\0-\x1f\x7f]/g,
  (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);

function value(item) {
  return item.value_bytes > VALUE_BYTES_MAX ? `${visible(item.value)}\u2026` : visible(item.value);
}

const columns = [
  { name: 'key', head: 'key', cell: (item) => visible(item.key) },
  { name: 'value', head: 'value', cell: value },
  { name: 'size', head: 'size', isNumber: true, cell: (item) => bytes(item.value_bytes) },
  { name: 'revision', head: 'revision', isNumber: true, cell: (item) => count(item.mod_revision) },
  { name: 'version', head: 'version', isNumber: true, cell: (item) => count(item.version) },
];

// Keys are bytes and need not be text.
const percentEncoded = (hex) => hex.replace(/../g, '%$&');

async function fetchPage(prefix, afterHex) {
  const query = `prefix=${encodeURIComponent(prefix)}&after=${percentEncoded(afterHex)}`;
  const answer = await fetch(`debug/keys?${query}`, { cache: 'no-store' });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

function describe(items, more) {
  if (items.length === 0) return 'No key begins with this.';
  return `${plural(items.length, 'key')}${more ? ', and there are more' : ''}.`;
}

export function createKeys() {
  const panel = byId('keys');
  const moreButton = byId('keys-more');
  const update = createTable(byId('keys-table'), columns, (item) => item.key_hex);
  let prefix = '';
  let lastHex = '';
  let newest = 0; // of the pages asked for; an older answer that comes later is not shown

  function showPage({ items, more }) {
    update(items);
    lastHex = items.length > 0 ? items.at(-1).key_hex : '';
    moreButton.hidden = !more;
    setText(byId('keys-note'), describe(items, more));
    const now = Date.now();
    setText(byId('keys-as-of'), `as of ${clock(now)}`);
    byId('keys-as-of').dateTime = iso(now);
  }

  async function load(afterHex) {
    newest += 1;
    const number = newest;
    try {
      const page = await fetchPage(prefix, afterHex);
      if (number === newest) showPage(page);
    } catch (error) {
      if (number === newest) setText(byId('keys-note'), `Not read: ${error.message}.`);
    }
  }

  byId('keys-form').addEventListener('submit', (event) => {
    event.preventDefault();
    prefix = byId('keys-prefix').value;
    load('');
  });
  moreButton.addEventListener('click', () => load(lastHex));

  return function show({ status }) {
    const isNew = panel.hidden && status.key_browser;
    panel.hidden = !status.key_browser;
    if (isNew) load('');
  };
}

// Who gossip believes to be alive.

import { byId, setText } from './dom.js';
import { UNKNOWN, ago, count } from './format.js';
import { byName } from './model.js';
import { createTable } from './table.js';

const STATES = {
  alive: { mark: '\u25cf', tone: 'good' },
  suspect: { mark: '\u25d0', tone: 'warn' },
  dead: { mark: '\u2715', tone: 'bad' },
  left: { mark: '\u25cb', tone: null },
};

const columns = [
  { name: 'id', head: 'member', cell: (member) => member.id },
  { name: 'state', head: 'state', cell: (member) => ({ text: member.state, ...STATES[member.state] }) },
  { name: 'incarnation', head: 'incarnation', isNumber: true, cell: (member) => count(member.incarnation) },
  { name: 'since', head: 'since', isNumber: true, cell: (member) => `${ago(member.in_state_ms)} ago` },
  { name: 'address', head: 'address', cell: (member) => member.address || UNKNOWN },
];

function note({ health, members }) {
  if (members.length === 0) return 'nobody is heard by gossip';
  return health === 0 ? 'this node hears well' : `this node hears badly (health score ${health})`;
}

export function createGossip() {
  const update = createTable(byId('gossip'), columns, (member) => `${member.id} ${member.address}`);
  return function show({ status }) {
    update([...status.gossip.members].sort(byName));
    byId('gossip').hidden = status.gossip.members.length === 0;
    setText(byId('gossip-note'), note(status.gossip));
  };
}

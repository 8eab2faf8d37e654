// The table of nodes: how this node stands with each, and how far each has come.

import { byId, setAttributes, setText } from './dom.js';
import { UNKNOWN, ago, bytes, count, duration, milliseconds } from './format.js';
import { LINKS } from './model.js';
import { createTable } from './table.js';

const ROLE_MARKS = { leader: '\u03a6', candidate: '?', learner: '\u25cb' };

function state(node) {
  const { word, mark, tone } = LINKS[node.link];
  return { text: word, mark, tone };
}

function role(node) {
  return { text: node.role, mark: ROLE_MARKS[node.role] ?? '', tone: node.isLeader ? 'good' : null };
}

function heard(node) {
  if (node.self) return 'now';
  return node.age_ms === null ? 'never' : `${ago(node.age_ms)} ago`;
}

function snapshot({ peer }) {
  if (!peer || !peer.snapshot) return UNKNOWN;
  return { text: `${bytes(peer.snapshot.sent_bytes)} sent, to ${count(peer.snapshot.index)}`, tone: 'warn' };
}

// Entries of the leader's log that it has not got. The leader knows; elsewhere it is worked out
// from what both last said.
function lag(node, model) {
  if (node.isLeader) return '0';
  if (node.peer && node.peer.lag !== null) return count(node.peer.lag);
  if (!node.log || !model.leader || !model.leader.log) return UNKNOWN;
  const entries = Math.max(model.leader.log.last - node.log.last, 0);
  return { text: `~ ${count(entries)}`, title: 'from what both last said' };
}

function inFlight({ peer }) {
  if (!peer || peer.in_flight === null) return UNKNOWN;
  return peer.in_flight ? `${count(peer.in_flight)} (${bytes(peer.in_flight_bytes)})` : '0';
}

const ofPeer = (field, show) => (node) => (node.peer ? show(node.peer[field]) : UNKNOWN);

// `model` is that of the running update.
function columnsOf(current) {
  return [
    { name: 'id', head: 'node', cell: (node) => node.id },
    { name: 'region', head: 'region', cell: (node) => node.region || UNKNOWN },
    { name: 'role', head: 'role', cell: role },
    { name: 'state', head: 'from here', cell: state },
    { name: 'rtt', head: 'round trip', isNumber: true, cell: ofPeer('rtt_ms', milliseconds) },
    { name: 'contact', head: 'contact', title: 'since a message of its Raft arrived', isNumber: true,
      cell: ofPeer('last_contact_ms', ago) },
    { name: 'match', head: 'match', title: 'what the leader knows it to hold', isNumber: true,
      cell: ofPeer('match_index', count) },
    { name: 'next', head: 'next', title: 'what the leader sends it next', isNumber: true,
      cell: ofPeer('next_index', count) },
    { name: 'lag', head: 'lag', title: 'entries behind the leader', isNumber: true,
      cell: (node) => lag(node, current.model) },
    { name: 'in-flight', head: 'in flight', title: 'appends sent and not answered', isNumber: true, cell: inFlight },
    { name: 'snapshot', head: 'snapshot', cell: snapshot },
    { name: 'memory', head: 'memory', isNumber: true, cell: (node) => bytes(node.memory_bytes) },
    { name: 'disk', head: 'disk', isNumber: true, title: 'log and state',
      cell: (node) => bytes(node.log_file_bytes + node.state_file_bytes) },
    { name: 'uptime', head: 'up', isNumber: true, cell: (node) => duration(node.uptime_ms) },
    { name: 'heard', head: 'as of', title: 'when it last said how it is', isNumber: true, cell: heard },
  ];
}

// What only the leader knows is left out elsewhere, and its page named.
function showNote({ viewer, leader }) {
  const isElsewhere = Boolean(leader) && !leader.self;
  byId('peers').classList.toggle('is-followers', !viewer.isLeader);
  byId('peers-note').hidden = !isElsewhere;
  if (!isElsewhere) return;
  setText(byId('peers-leader'), leader.id);
  setAttributes(byId('peers-leader'), { href: leader.http_address ? `http://${leader.http_address}/` : null });
}

export function createPeers() {
  const current = { model: null };
  const update = createTable(byId('peers'), columnsOf(current), (node) => node.identity,
    (node) => ({ 'data-node': node.id, 'data-link': node.link, class: node.isUp ? null : 'is-old' }));
  return function show(model) {
    current.model = model;
    update(model.nodes);
    showNote(model);
  };
}

// What the panels show, worked out from one status (src/debug/debug.h tells what its fields mean).

import { plural } from './format.js';

// A node says how it is once a second.
export const SILENT_MS = 3000;

// How this node stands with another one: a word, a mark of its own shape, and a tone.
export const LINKS = {
  self: { word: 'this node', mark: '\u25c6', tone: 'good' },
  ok: { word: 'connected', mark: '\u25cf', tone: 'good' },
  silent: { word: 'silent', mark: '\u25d0', tone: 'warn' },
  lost: { word: 'no connection', mark: '\u2715', tone: 'bad' },
};

function linkOf(member, peer) {
  if (member.self) return 'self';
  if (!peer || !peer.connected) return 'lost';
  return member.age_ms === null || member.age_ms > SILENT_MS ? 'silent' : 'ok';
}

function roleOf(member, leader) {
  if (member.id === leader) return 'leader';
  if (!member.voter) return 'learner';
  return member.state === 'CANDIDATE' ? 'candidate' : 'follower';
}

function nodeOf(member, status, peers) {
  const peer = peers.get(member.id);
  const link = linkOf(member, peer);
  return {
    ...member,
    peer,
    link,
    isUp: link === 'self' || link === 'ok',
    isLeader: member.id === status.leader_id,
    role: roleOf(member, status.leader_id),
  };
}

// ---- Edges

// Both ends measure; the mean of what they say, null without a connection, undefined if neither
// end was heard lately.
function roundTrip(a, b) {
  const known = [[a, b], [b, a]]
    .filter(([from]) => from.rtt_ms && (from.self || from.age_ms <= SILENT_MS))
    .map(([from, to]) => from.rtt_ms[to.id])
    .filter((value) => value !== undefined);
  if (known.length === 0) return undefined;
  const measured = known.filter((value) => value !== null);
  if (measured.length < known.length) return null;
  return measured.reduce((sum, value) => sum + value, 0) / measured.length;
}

function edgeOf(a, b) {
  const rttMs = roundTrip(a, b);
  const link = { undefined: 'silent', null: 'lost' }[String(rttMs)] ?? 'ok';
  return { key: `${a.id}\n${b.id}`, a, b, rttMs, link, isLeaders: a.isLeader || b.isLeader };
}

function edgesOf(nodes) {
  return nodes.flatMap((a, i) => nodes.slice(i + 1).map((b) => edgeOf(a, b)));
}

// ---- Health

const namesOf = (nodes) => nodes.map((node) => node.id).join(', ');

function troublesOf(status, nodes) {
  const { cluster } = status;
  const missing = cluster.voters - cluster.voters_in_reach;
  const down = namesOf(nodes.filter((node) => !node.isUp && node.voter));
  const learners = namesOf(nodes.filter((node) => !node.isUp && !node.voter));
  const full = namesOf(nodes.filter((node) => node.disk_full));
  return [
    missing > 0 && `${missing} of ${plural(cluster.voters, 'voter')} out of reach${down && `: ${down}`}.`,
    missing === 0 && down && `Nothing is heard of ${down}.`,
    full && `Disk full on ${full}: writes are refused.`,
    learners && `Learners out of reach: ${learners}.`,
    status.store.damaged_records > 0 &&
      `${plural(status.store.damaged_records, 'damaged record')} on this node.`,
  ].filter(Boolean);
}

function whyNoLeader({ cluster, node }) {
  if (cluster.voters === 0) return `Waits for ${node.waiting_for.join(', ') || 'the others'}.`;
  if (cluster.voters_in_reach < cluster.quorum) {
    return `${node.id} reaches ${cluster.voters_in_reach} of ${plural(cluster.voters, 'voter')}, ` +
      `and ${cluster.quorum} make a quorum. Nothing can be written from here.`;
  }
  return 'An election is under way. Nothing is written until it ends.';
}

function health(status, nodes) {
  const { cluster, node } = status;
  if (!node.sound) return { tone: 'bad', word: 'Stalled', text: `The loop of ${node.id} stands still.` };
  if (cluster.voters === 0) return { tone: 'warn', word: 'Waiting', text: whyNoLeader(status) };
  if (cluster.voters_in_reach < cluster.quorum)
    return { tone: 'bad', word: 'No quorum', text: whyNoLeader(status) };
  if (!status.leader_id) return { tone: 'bad', word: 'No leader', text: whyNoLeader(status) };
  const troubles = troublesOf(status, nodes);
  if (troubles.length > 0 && cluster.failures_left === 0)
    return { tone: 'bad', word: 'At the edge', text: `${troubles.join(' ')} The next failure stops writes.` };
  if (troubles.length > 0) return { tone: 'warn', word: 'Degraded', text: troubles.join(' ') };
  if (!node.ready)
    return { tone: 'warn', word: 'Catching up', text: `${node.id} waits for ${node.waiting_for.join(', ')}.` };
  return { tone: 'good', word: 'Healthy', text: wellness(cluster) };
}

function wellness(cluster) {
  if (cluster.voters === 1) return 'One voter, which no other can stand in for.';
  return `All ${plural(cluster.voters, 'voter')} in reach.`;
}

// ---- All of it

// Writes are counted where the leader takes them, reads where they are answered.
function trafficOf(status, leader, nodes) {
  const heard = nodes.filter((node) => node.isUp && node.reads_per_s !== undefined);
  const own = leader && leader.self;
  return {
    writesPerS: leader && leader.isUp ? leader.writes_per_s : null,
    readsPerS: heard.reduce((sum, node) => sum + node.reads_per_s, 0),
    commitP50Ms: own ? status.latency_ms.commit_p50 : null,
    commitP99Ms: leader && leader.isUp ? leader.commit_p99_ms : null,
  };
}

// node-9 before node-10.
export const byName = (a, b) => a.id.localeCompare(b.id, 'en', { numeric: true });

export function modelOf(status) {
  const peers = new Map(status.raft.peers.map((peer) => [peer.id, peer]));
  const nodes = status.mesh.map((member) => nodeOf(member, status, peers)).sort(byName);
  const leader = nodes.find((node) => node.isLeader) ?? null;
  return {
    status,
    atMs: status.as_of_ms,
    nodes,
    edges: edgesOf(nodes),
    viewer: nodes.find((node) => node.self),
    leader,
    health: health(status, nodes),
    traffic: trafficOf(status, leader, nodes),
  };
}

// The top of the page: healthy or not, who leads, how many more failures.

import { byId, drawing, element, keep, setAttributes, setText } from './dom.js';
import { UNKNOWN, clock, count, duration, milliseconds, perSecond, plural } from './format.js';

const NAME_LENGTH_MAX = 11; // in large letters

function showHealth({ health }) {
  byId('health').dataset.tone = health.tone;
  setText(byId('health-word'), health.word);
  setText(byId('health-text'), health.text);
}

function showLeader({ status, leader }) {
  setText(byId('leader'), status.leader_id || 'none');
  byId('leader').classList.toggle('accent', Boolean(status.leader_id));
  byId('leader').classList.toggle('is-long', status.leader_id.length > NAME_LENGTH_MAX);
  const place = leader && leader.region ? `in ${leader.region}, ` : '';
  setText(byId('leader-text'), `${status.leader_id ? place : ''}term ${count(status.term)}`);
}

// ---- Shields: a voter each, those in reach first, with a gap where the quorum ends

const SHIELD = 26;
const GAP = 12;

function createShield() {
  const shield = drawing('svg', { viewBox: '-12 -12 24 24', width: SHIELD, height: SHIELD });
  shield.append(
    drawing('title'),
    drawing('circle', { r: 9, class: 'rim' }),
    drawing('path', { d: 'M0-9V9', class: 'spear' }),
    drawing('path', { d: 'M-4-4L4 4M4-4L-4 4', class: 'cross' }),
  );
  return shield;
}

function updateShield(shield, { node, isLast }) {
  setText(shield.firstChild, `${node.id}: ${node.isLeader ? 'leads' : node.isUp ? 'in reach' : 'out of reach'}`);
  setAttributes(shield, {
    class: `shield ${node.isUp ? 'is-up' : 'is-lost'}${node.isLeader && node.isUp ? ' is-leader' : ''}`,
  });
  shield.style.marginRight = isLast ? `${GAP}px` : '';
}

function showShields({ nodes, status }) {
  const rank = (node) => (node.isLeader && node.isUp ? 0 : node.isUp ? 1 : 2);
  const voters = nodes.filter((node) => node.voter).sort((a, b) => rank(a) - rank(b));
  const items = voters.map((node, i) => ({ node, isLast: i === status.cluster.quorum - 1 }));
  keep(byId('shields'), items, ({ node }) => node.identity, createShield, updateShield);
}

function quorumText({ cluster }) {
  if (cluster.voters === 0) return 'no cluster yet';
  const learners = cluster.learners > 0 ? `, ${plural(cluster.learners, 'learner')}` : '';
  const change = cluster.joint ? '; the voters are being changed' : '';
  return `${cluster.voters_in_reach} of ${plural(cluster.voters, 'voter')} in reach, ` +
    `${cluster.quorum} make a quorum${learners}${change}`;
}

function showFailures(model) {
  const { cluster } = model.status;
  const tone = cluster.failures_left > 0 || cluster.voters === 1 ? 'good' : 'bad';
  setText(byId('failures'), cluster.voters === 0 ? UNKNOWN : String(cluster.failures_left));
  setAttributes(byId('failures'), { 'data-tone': tone });
  setText(byId('quorum'), quorumText(model.status));
  showShields(model);
}

function showFigures({ status, traffic }) {
  setText(byId('figure-writes'), perSecond(traffic.writesPerS));
  setText(byId('figure-reads'), perSecond(traffic.readsPerS));
  setText(byId('figure-commit'), milliseconds(traffic.commitP99Ms));
  setText(byId('figure-keys'), count(status.store.keys));
}

function showWhere({ status }) {
  const { node, cluster } = status;
  setText(byId('cluster'), cluster.label || 'no cluster label');
  setText(byId('viewer'), node.region ? `${node.id} (${node.region})` : node.id);
  setText(byId('build'), `${node.version}, up ${duration(node.uptime_ms)}`);
  byId('build').title = `commit ${node.commit}`;
  document.title = `${status.leader_id ? '' : '! '}${cluster.label || node.id} \u00b7 Phalanx`;
}

export function showGlance(model) {
  showWhere(model);
  showHealth(model);
  showLeader(model);
  showFailures(model);
  showFigures(model);
}

// ---- The stream

export function showLive(atMs) {
  document.body.classList.remove('is-stale');
  setText(byId('stream'), `live, as of ${clock(atMs)}`);
}

// Where else the same can be seen: the other nodes' own pages.
function otherPages(model) {
  return (model ? model.nodes : [])
    .filter((node) => !node.self && node.http_address)
    .map((node) => element('a', { href: `http://${node.http_address}/` }, node.id));
}

// `model` is the last one, or null.
export function showLost(reason, model) {
  const since = model ? clock(model.atMs) : null;
  document.body.classList.add('is-stale');
  setText(byId('stream'), since ? `stale since ${since}` : 'no data yet');
  byId('health').dataset.tone = 'unknown';
  setText(byId('health-word'), 'Unknown');
  const text = `${since ? `What you see is of ${since}` : 'Nothing to show'}: ${reason}. Trying again.`;
  const line = byId('health-text');
  if (line.firstChild.textContent === text) return; // or it would be read out at each try
  const pages = otherPages(model).flatMap((link, i) => [i ? ', ' : ' Elsewhere: ', link]);
  line.replaceChildren(text, ...pages);
}

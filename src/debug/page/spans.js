// Where a write's time goes, as far as the nodes tell: the way to a quorum and back, the disks, and
// the whole of it.

import { byId } from './dom.js';
import { milliseconds } from './format.js';
import { createTable } from './table.js';

// The leader's round trip to the slowest of the nearest that it needs; 0 if it needs nobody.
function quorumRoundTrip({ leader, nodes, status }) {
  if (!leader || !leader.rtt_ms) return null;
  const others = nodes.filter((node) => node.voter && node !== leader);
  const needed = status.cluster.quorum - 1;
  const known = others.map((node) => leader.rtt_ms[node.id]).filter((value) => typeof value === 'number');
  if (needed === 0) return 0;
  return known.sort((a, b) => a - b)[needed - 1] ?? null;
}

function slowestSync(nodes) {
  const known = nodes.filter((node) => node.isUp && typeof node.sync_p99_ms === 'number');
  return known.reduce((worst, node) => (!worst || node.sync_p99_ms > worst.sync_p99_ms ? node : worst), null);
}

function spansOf(model) {
  const { leader, status, nodes, traffic } = model;
  const slowest = slowestSync(nodes);
  return [
    { name: 'round trip to a quorum', ms: quorumRoundTrip(model) },
    { name: `log sync p99, leader${leader ? ` ${leader.id}` : ''}`, ms: leader ? leader.sync_p99_ms : null },
    { name: `log sync p99, slowest${slowest ? ` ${slowest.id}` : ''}`, ms: slowest ? slowest.sync_p99_ms : null },
    { name: `apply p99, here`, ms: status.latency_ms.apply_p99 },
    { name: 'from proposal to commit, p99', ms: traffic.commitP99Ms },
  ];
}

const columns = [
  { name: 'span', head: 'span', cell: (span) => span.name },
  { name: 'ms', head: 'time', isNumber: true, cell: (span) => milliseconds(span.ms) },
];

export function createSpans() {
  const table = byId('spans');
  const update = createTable(table, columns, (span) => span.key);
  return function show(model) {
    const spans = spansOf(model).map((span, i) => ({ ...span, key: String(i) }));
    const largest = Math.max(...spans.map((span) => span.ms ?? 0), 0.001);
    update(spans);
    spans.forEach((span, i) => {
      table.tBodies[0].rows[i].cells[1].style.setProperty('--share', ((span.ms ?? 0) / largest).toFixed(3));
    });
  };
}

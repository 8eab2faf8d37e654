// The page: one stream in, one model of it, a function for each panel.

import { createCharts } from './charts.js';
import { setText } from './dom.js';
import { clock, iso } from './format.js';
import { showGlance, showLive, showLost } from './glance.js';
import { createGossip } from './gossip.js';
import { createKeys } from './keys.js';
import { createLogs } from './logs.js';
import { createMatrix } from './matrix.js';
import { modelOf } from './model.js';
import { createPeers } from './peers.js';
import { createSpans } from './spans.js';
import { openStream } from './stream.js';
import { createTimeline } from './timeline.js';
import { createTopology } from './topology.js';

const panels = [
  showGlance, createTopology(), createMatrix(), createSpans(), createPeers(), createCharts(), createLogs(),
  createGossip(), createKeys(),
];
const addToTimeline = createTimeline();
const stamps = [...document.querySelectorAll('.as-of')];
let shown = null;

function stamp({ atMs }) {
  for (const node of stamps) {
    setText(node, `as of ${clock(atMs)}`);
    node.dateTime = iso(atMs);
  }
}

function showStatus(status) {
  shown = modelOf(status);
  panels.forEach((show) => show(shown));
  stamp(shown);
  showLive(shown.atMs);
}

openStream('debug/events', {
  event(type, value) {
    if (type === 'status') showStatus(value);
    else if (type === 'timeline') addToTimeline(value);
  },
  lost(reason) {
    showLost(reason, shown);
  },
});

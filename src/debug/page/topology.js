// The drawing of the mesh: nodes, the connections between them, and who sends to whom.

import { byId, drawing, keep, setAttributes, setText } from './dom.js';
import { milliseconds, number } from './format.js';
import { LINKS } from './model.js';
import { createShelf, curve, layOut, placesAround } from './places.js';
import { landPath } from './world.js';

const RADIUS = 9;

// ---- Nodes

function createNode() {
  return drawing('g', {},
    drawing('title'),
    drawing('circle', { r: RADIUS + 6, class: 'halo' }),
    drawing('circle', { r: RADIUS, class: 'rim' }),
    drawing('path', { d: `M0-${RADIUS + 4}V${RADIUS + 4}`, class: 'spear' }),
    drawing('path', { d: 'M-4-4L4 4M4-4L-4 4', class: 'cross' }),
    drawing('text', { class: 'name' }),
    drawing('text', { class: 'place' }));
}

function nodeClass(node) {
  return ['node', `is-${node.link}`, node.isLeader && node.isUp && 'is-leader', !node.voter && 'is-learner']
    .filter(Boolean).join(' ');
}

function placeOf(node) {
  const parts = [node.region, node.isLeader && node.isUp ? 'leader' : '', node.isUp ? '' : LINKS[node.link].word];
  return parts.filter(Boolean).join(', ');
}

function updateNode(group, node, layout, shelf) {
  const point = layout.points.get(node.identity);
  const place = placeOf(node);
  const length = Math.max(node.id.length, place.length);
  const label = shelf.find(placesAround(point, length, layout), length, place ? 2 : 1) 
    ?? { y: point.y + 28, anchor: 'middle', textX: 0 };
  const [title, , , , , name, below] = group.children;
  setAttributes(group, {
    class: nodeClass(node), transform: `translate(${point.x.toFixed(1)} ${point.y.toFixed(1)})`,
  });
  setText(title, `${node.id}, ${node.role}, ${LINKS[node.link].word}`);
  const y = label.y - point.y;
  const where = { x: label.textX, 'text-anchor': label.anchor };
  setAttributes(name, { ...where, y: (place ? y - 2 : y + 4).toFixed(1) });
  setAttributes(below, { ...where, y: (y + 12).toFixed(1) });
  setText(name, node.id);
  setText(below, place);
}

// ---- Edges

function createEdge() {
  return drawing('g', {},
    drawing('title'),
    drawing('path', { class: 'line' }),
    drawing('path', { class: 'pulse', pathLength: 100 }),
    drawing('text', { class: 'rtt', 'text-anchor': 'middle' }));
}

// Pulses run from the leader to a node whose log has grown since the last status.
function isReplicating(edge, before) {
  const follower = edge.a.isLeader ? edge.b : edge.a;
  const last = before.get(follower.identity);
  return edge.isLeaders && edge.link === 'ok' && last !== undefined && follower.log && follower.log.last > last;
}

function updateEdge(group, edge, layout, before) {
  const { a, b } = edge;
  const ends = b.isLeader ? [b, a] : [a, b];
  const [from, to] = ends.map((node) => layout.points.get(node.identity));
  const { path } = curve(from, to, layout.onMap);
  const [title, line, pulse] = group.children;
  const classes = [
    'edge', `is-${edge.link}`, edge.isLeaders && 'is-leaders', isReplicating(edge, before) && 'is-replicating',
  ];
  const told = edge.link === 'ok' ? milliseconds(edge.rttMs) : LINKS[edge.link].word;
  setAttributes(group, { class: classes.filter(Boolean).join(' ') });
  setText(title, `${a.id} \u2194 ${b.id}: ${told}`);
  setAttributes(line, { d: path });
  setAttributes(pulse, { d: path });
}

function labelEdge(group, edge, layout, shelf) {
  const [from, to] = [edge.a, edge.b].map((node) => layout.points.get(node.identity));
  const text = edge.link === 'ok' ? number(edge.rttMs) : '';
  const spots = [0.5, 0.4, 0.6, 0.3, 0.7].map(curve(from, to, layout.onMap).at);
  const spot = text ? shelf.find(spots, text.length + 1) : null;
  const label = group.lastChild;
  setText(label, spot ? text : '');
  if (spot) setAttributes(label, { x: spot.x.toFixed(1), y: (spot.y + 4).toFixed(1) });
}

// ---- All of it

function describe({ nodes, edges, status }) {
  const lost = edges.filter((edge) => edge.link === 'lost').length;
  const leader = status.leader_id ? `${status.leader_id} leads` : 'nobody leads';
  return `${nodes.length} nodes, ${leader}, ${lost} connections lost`;
}

function createPulseSwitch() {
  const button = byId('pulses');
  const stays = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const set = (isOn) => {
    button.setAttribute('aria-pressed', isOn);
    setText(button, isOn ? 'Pulses: on' : 'Pulses: off');
    byId('topology').classList.toggle('has-pulses', isOn);
  };
  button.addEventListener('click', () => set(button.getAttribute('aria-pressed') !== 'true'));
  set(!stays);
}

export function createTopology() {
  const box = byId('topology');
  const land = drawing('path', { class: 'land' });
  const edgeLayer = drawing('g');
  const nodeLayer = drawing('g');
  const picture = drawing('svg', { role: 'img' }, land, edgeLayer, nodeLayer);
  let shown = null;
  let before = new Map();
  let landWidth = 0;

  function drawLand(layout) {
    setAttributes(land, { visibility: layout.onMap ? 'visible' : 'hidden' });
    if (!layout.onMap || landWidth === layout.width) return;
    landWidth = layout.width;
    setAttributes(land, { d: landPath(layout.width), 'stroke-width': (layout.width / 120 * 0.42).toFixed(2) });
  }

  function draw() {
    const { nodes, edges } = shown;
    const layout = layOut(nodes, Math.max(box.clientWidth, 280));
    const shelf = createShelf(layout);
    layout.points.forEach((point) => shelf.block(point, RADIUS + 3));
    setAttributes(picture, {
      viewBox: `0 0 ${layout.width} ${layout.height}`, height: layout.height, 'aria-label': describe(shown),
    });
    drawLand(layout);
    keep(nodeLayer, nodes, (node) => node.identity, createNode,
      (group, node) => updateNode(group, node, layout, shelf));
    keep(edgeLayer, edges, (edge) => edge.key, createEdge,
      (group, edge) => updateEdge(group, edge, layout, before));
    const groups = [...edgeLayer.children].map((group, i) => [group, edges[i]]);
    groups.sort(([, a], [, b]) => b.isLeaders - a.isLeaders)
      .forEach(([group, edge]) => labelEdge(group, edge, layout, shelf));
  }

  box.append(picture);
  createPulseSwitch();
  new ResizeObserver(() => shown && draw()).observe(box);
  return function show(model) {
    before = new Map((shown ? shown.nodes : []).map((node) => [node.identity, node.log ? node.log.last : undefined]));
    shown = model;
    draw();
  };
}

// Where the drawing puts its nodes and labels: on the world when all regions are known and there is
// room, otherwise on a ring. Pure geometry in pixels.

import { ASPECT, isKnownRegion, project } from './world.js';

const MAP_WIDTH_MIN = 560;
const MARGIN = 14;
const CHARACTER = { width: 7.9, height: 14 };

function isOnMap(nodes, width) {
  const regions = new Set(nodes.map((node) => node.region));
  return width >= MAP_WIDTH_MIN && regions.size > 1 && nodes.every((node) => isKnownRegion(node.region));
}

// Nodes of one region stand around its place.
function placeOnMap(nodes, width) {
  return nodes.map((node) => {
    const same = nodes.filter((other) => other.region === node.region);
    const { x, y } = project(node.region, width);
    if (same.length === 1) return { x, y };
    const angle = (2 * Math.PI * same.indexOf(node)) / same.length;
    return { x: x + 16 * Math.cos(angle), y: y + 16 * Math.sin(angle) };
  });
}

function placeOnRing(nodes, width, height) {
  if (nodes.length === 1) return [{ x: width / 2, y: height / 2 }];
  const radiusX = Math.min(width / 2 - 64, height * 0.95);
  const radiusY = height / 2 - 44;
  return nodes.map((_, i) => {
    const angle = (2 * Math.PI * i) / nodes.length - Math.PI / 2;
    return { x: width / 2 + radiusX * Math.cos(angle), y: height / 2 + radiusY * Math.sin(angle) };
  });
}

const ringHeight = (width) => Math.round(Math.min(Math.max(330, width * 0.47), 420));

export function layOut(nodes, width) {
  const onMap = isOnMap(nodes, width);
  const height = onMap ? Math.round(width / ASPECT) : ringHeight(width);
  const points = onMap ? placeOnMap(nodes, width) : placeOnRing(nodes, width, height);
  return { onMap, width, height, points: new Map(nodes.map((node, i) => [node.identity, points[i]])) };
}

// ---- Edges

// On the map edges bow to the north, so that those over one another's line can be told apart.
export function curve(from, to, onMap) {
  const bow = onMap ? -0.18 * Math.hypot(to.x - from.x, to.y - from.y) : 0;
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 + bow };
  return {
    path: `M${from.x.toFixed(1)} ${from.y.toFixed(1)}Q${middle.x.toFixed(1)} ${middle.y.toFixed(1)} ` +
      `${to.x.toFixed(1)} ${to.y.toFixed(1)}`,
    at: (t) => ({
      x: (1 - t) ** 2 * from.x + 2 * t * (1 - t) * middle.x + t ** 2 * to.x,
      y: (1 - t) ** 2 * from.y + 2 * t * (1 - t) * middle.y + t ** 2 * to.y,
    }),
  };
}

// ---- Labels

const overlaps = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

// Takes for each label the first of its wanted places where nothing is yet.
export function createShelf({ width, height }) {
  const taken = [];

  function boxOf({ x, y }, length, lines) {
    const halfWidth = (length * CHARACTER.width) / 2;
    const halfHeight = (lines * CHARACTER.height) / 2;
    return { left: x - halfWidth, right: x + halfWidth, top: y - halfHeight, bottom: y + halfHeight };
  }

  function isFree(box) {
    return box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height &&
      !taken.some((other) => overlaps(box, other));
  }

  return {
    block({ x, y }, radius) {
      taken.push({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });
    },
    // The middle of where a text of `length` characters fits, or null.
    find(places, length, lines = 1) {
      const place = places.find((point) => isFree(boxOf(point, length, lines)));
      if (!place) return null;
      taken.push(boxOf(place, length, lines));
      return place;
    },
  };
}

// Beside, below and above a node, outwards first: the middle of a label, how its text is anchored,
// and where, seen from the node.
export function placesAround({ x, y }, length, { onMap, width, height }) {
  const dx = MARGIN + (length * CHARACTER.width) / 2;
  const dy = MARGIN + CHARACTER.height + 2;
  const right = { x: x + dx, y, anchor: 'start', textX: MARGIN };
  const left = { x: x - dx, y, anchor: 'end', textX: -MARGIN };
  const below = { x, y: y + dy, anchor: 'middle', textX: 0 };
  const above = { x, y: y - dy, anchor: 'middle', textX: 0 };
  const vertical = y < height / 2 ? [above, below] : [below, above];
  const horizontal = x < width / 2 ? [left, right] : [right, left];
  return onMap ? [...horizontal, ...vertical] : [...vertical, ...horizontal];
}

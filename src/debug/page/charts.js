// Ten minutes of figures, kept by this page: a point for each status, gaps where none came.

import { byId, element, setText } from './dom.js';
import { bytes, clock, milliseconds, perSecond } from './format.js';

const POINTS_MAX = 600;
const GAP_MS = 3000;
const STEP_MS_MIN = 700; // after an event a status comes earlier
const HEIGHT = 132;

const style = getComputedStyle(document.documentElement);
const color = (name) => style.getPropertyValue(name).trim();

const CHARTS = [
  { title: 'Writes', unit: perSecond, least: 10, series: [['leader', (model) => model.traffic.writesPerS]] },
  { title: 'Reads', unit: perSecond, least: 10, series: [['all nodes', (model) => model.traffic.readsPerS]] },
  { title: 'Commit latency', unit: milliseconds, least: 1, series: [
    ['p99', (model) => model.traffic.commitP99Ms], ['p50', (model) => model.traffic.commitP50Ms]] },
  { title: 'Log sync', unit: milliseconds, least: 1, series: [
    ['p99 here', (model) => model.status.latency_ms.sync_p99]] },
  { title: 'Memory', unit: bytes, least: 1e6, series: [['here', (model) => model.status.node.memory_bytes]] },
  { title: 'Disk', unit: bytes, least: 1e6, series: [
    ['log and state here', (model) => model.viewer.log_file_bytes + model.viewer.state_file_bytes],
    ['log', (model) => model.viewer.log_file_bytes]] },
];

// ---- History: one column of seconds, then one for each series of each chart

const history = [[], ...CHARTS.flatMap(({ series }) => series.map(() => []))];

function push(seconds, values) {
  [seconds, ...values].forEach((value, i) => history[i].push(value ?? null));
  if (history[0].length > POINTS_MAX) history.forEach((column) => column.shift());
}

function remember(model) {
  const seconds = model.atMs / 1000;
  if (seconds < history[0].at(-1)) history.forEach((column) => column.splice(0)); // a clock set back
  const before = history[0].at(-1) ?? seconds - 1;
  if (seconds - before < STEP_MS_MIN / 1000) return;
  const values = CHARTS.flatMap(({ series }) => series.map(([, read]) => read(model)));
  if (seconds - before > GAP_MS / 1000) push(before + 1, values.map(() => null));
  push(seconds, values);
}

// ---- Drawing

// Seconds only where minutes would repeat.
function timesOfDay(_, splits) {
  const length = splits[1] - splits[0] < 60 ? 8 : 5;
  return splits.map((at) => clock(at * 1000).slice(0, length));
}

function axes(unit) {
  const common = {
    stroke: color('--dim'), font: `11px ${color('--mono')}`,
    grid: { stroke: color('--line'), width: 1 }, ticks: { show: false },
  };
  return [
    { ...common, size: 22, space: 90, values: timesOfDay },
    { ...common, size: 74, space: 34, values: (_, splits) => splits.map((value) => unit(value)) },
  ];
}

// From zero, so that heights can be compared, and to `least` at least: noise is no mountain.
function scaleFromZero(least) {
  return (_, low, high) => [0, Math.max((high ?? 0) * 1.15, least)];
}

// A minute at least, in seconds.
function scaleOfTime(_, low, high) {
  return [Math.min(low ?? 0, (high ?? 0) - 60), high ?? 0];
}

function seriesOf({ series }) {
  const first = { stroke: color('--accent'), width: 1.5, fill: color('--accent-faint'), points: { show: false } };
  const second = { stroke: color('--text'), width: 1, dash: [4, 3], points: { show: false } };
  return [{}, ...series.map((_, i) => (i === 0 ? first : second))];
}

function createReadout({ series }) {
  return element('p', { class: 'readout' }, ...series.map(() => element('span')));
}

// The figures under the pointer, or else the newest.
function showReadout(readout, chart, data, index) {
  const at = index ?? data[0].length - 1;
  chart.series.forEach(([name], i) => {
    const value = data[i + 1][at];
    const isShown = i === 0 || (value ?? null) !== null;
    setText(readout.children[i], isShown ? `${name} ${chart.unit(value)}` : '');
  });
  readout.classList.toggle('is-past', index !== null);
}

function createChart(chart, first) {
  const readout = createReadout(chart);
  const title = element('h3');
  const canvas = element('div', { class: 'chart-canvas', role: 'img' });
  const box = element('div', { class: 'chart' }, element('div', { class: 'chart-head' }, title, readout), canvas);
  setText(title, chart.title);
  const columns = () => [history[0], ...chart.series.map((_, i) => history[first + i])];
  byId('charts').append(box);

  const plot = new uPlot({
    width: Math.max(canvas.clientWidth, 100),
    height: HEIGHT,
    padding: [10, null, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'charts' } },
    scales: { x: { range: scaleOfTime }, y: { range: scaleFromZero(chart.least) } },
    axes: axes(chart.unit),
    series: seriesOf(chart),
    hooks: { setCursor: [(u) => showReadout(readout, chart, columns(), u.cursor.idx ?? null)] },
  }, columns(), canvas);
  new ResizeObserver(() => plot.setSize({ width: canvas.clientWidth, height: HEIGHT })).observe(canvas);

  return function update() {
    plot.setData(columns());
    showReadout(readout, chart, columns(), plot.cursor.idx ?? null);
    canvas.setAttribute('aria-label', `${chart.title}: ${readout.textContent}`);
  };
}

export function createCharts() {
  let first = 1;
  const updates = CHARTS.map((chart) => {
    const update = createChart(chart, first);
    first += chart.series.length;
    return update;
  });
  return function show(model) {
    remember(model);
    if (!document.hidden) updates.forEach((update) => update());
  };
}

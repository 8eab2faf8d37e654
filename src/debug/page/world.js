// The world as dots, and where the regions are. The dots were computed from Natural Earth's
// coastlines, which are in the public domain: 2.5 degrees apart, from the north-west corner, a row
// of 120 bits each.

const STEP = 2.5;
const WEST = -132;
const NORTH = 77;
const ROWS = [
  '034c9007fff80000000e003fc00c00', '1c2f5401ffe00000003007fff30400',
  '03e37f81fff000038031fffffffff0', '019a0e3f007fffe00da02000000000',
  '00003e2f03e1ffc218000000000000', 'ffff80e0f00000f7ffffffffffffff',
  'fffe0380300001f7ffffffffffffe3', 'ffff03f000000161fffffffffff80c',
  'ffffc3f8000010e7fffffffffff01c', '7ffff7fc000059fffffffffffffc18',
  '3ffffff8000017fffffffffffff800', '0fffffe700001ffffffffffffff800',
  '1ffffff800000fffaf3ffffffff000', '1fffff8000007c4f077fffffffe600',
  '1fffff00000078b5ffbffffffb8000', '0ffffe0000007805ff3ffffff10000',
  '0ffffc0000002f801ffffffff99800', '03fff80000007f801ffffffff84000',
  '02fff00000007ff7fffffffff80000', '01fc08000000ffffff7ffffff80000',
  '007c08000001ffffff8ffffff80000', '003c00000003ffffeff0ffffe00000',
  '001c42000003fffff7f03f3f000000', '001fc5200003fffff7e03c1e040000',
  '0001a0000003fffffbc0380f000000', '000060000003fffffe00180f800000',
  '000001c00001fffffd80180b080000', '00000bf80000ffffff800008020000',
  '000003fe000079ffff000004100000', '000003ff0000007fff00000c300000',
  '000007ff8000007ffc00000cf60000', '00000fffe00000fff8000006640000',
  '00000ffffc00007ff8000002041e40', '000007fffe00003ff8000001402f10',
  '000007fffe00003ff8000000020080', '000003fffc00003ff8000000000000',
  '000003fff800003ff8800000016400', '000000fff800003ff380000003fe00',
  '0000007ff800003fe100000007ff00', '0000007ff000003fe30000001fff80',
  '0000007fc000001fe30000003fffc0', '000000ff8000001fc00000003fffc0',
  '000000ff8000001f800000001fffc0', '000000ff0000000f800000001f3fc0',
  '000000fa0000000800000000180f80', '000000fc0000000000000000000780',
  '000000f00000000000000000000000', '000001e00000000000000000000100',
  '000000e00000000000000000000000', '000001c00000000000000000000000',
  '000001c00000000000008000000000', '0000018c0000000000000000000000',
  '000000c00000000000000000000000', '000000000000000000000000000000',
];
const COLUMNS = ROWS[0].length * 4;

export const ASPECT = COLUMNS / ROWS.length;

// Latitude and longitude of Fly's regions.
const PLACES = {
  ams: [52.4, 4.9], arn: [59.3, 18.1], bom: [19.1, 72.9], cdg: [48.9, 2.4], dfw: [32.8, -96.8],
  ewr: [40.7, -74.2], fra: [50.1, 8.7], gru: [-23.5, -46.6], iad: [39.0, -77.5], jnb: [-26.2, 28.0],
  lax: [34.1, -118.2], lhr: [51.5, -0.1], nrt: [35.7, 139.7], ord: [41.9, -87.6], sin: [1.35, 103.8],
  sjc: [37.3, -121.9], syd: [-33.9, 151.2], yyz: [43.7, -79.4],
};

const placeOf = (region) => (Object.hasOwn(PLACES, region) ? PLACES[region] : null);

export const isKnownRegion = (region) => placeOf(region) !== null;

// Where a region is on a map `width` wide.
export function project(region, width) {
  const [latitude, longitude] = placeOf(region);
  const scale = width / (COLUMNS * STEP);
  return { x: (longitude - WEST) * scale, y: (NORTH - latitude) * scale };
}

// One path of points: with round caps each is a dot.
export function landPath(width) {
  const step = width / COLUMNS;
  const dots = ROWS.flatMap((row, j) => [...row].flatMap((digit, i) => (
    [0, 1, 2, 3]
      .filter((bit) => (parseInt(digit, 16) >> (3 - bit)) & 1)
      .map((bit) => `M${((4 * i + bit + 0.5) * step).toFixed(1)} ${((j + 0.5) * step).toFixed(1)}h0`))));
  return dots.join('');
}

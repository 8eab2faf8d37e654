// The stream of server-sent events, read by fetch rather than by EventSource: this one gives up a
// connection that went silent, waits longer each time, and says where it left off even after the
// server refused it.

const SILENCE_MS = 4000; // the server sends once a second
const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 8000;
const LINE_LENGTH_MAX = 1 << 20;

// Calls handle(type, data, id) for each whole event in the pieces it is given.
function createParser(handle) {
  let rest = '';
  let event = { type: 'message', data: [], id: null };

  function takeLine(line) {
    if (line === '') {
      if (event.data.length > 0) handle(event.type, event.data.join('\n'), event.id);
      event = { type: 'message', data: [], id: null };
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === 'event') event.type = value;
    else if (field === 'data') event.data.push(value);
    else if (field === 'id') event.id = value;
  }

  return function take(piece) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    if (rest.length > LINE_LENGTH_MAX) throw new Error('a line without end');
    lines.forEach(takeLine);
  };
}

// handlers: { event(type, value), lost(reason) }; runs for as long as the page.
export function openStream(url, handlers) {
  let lastId = '';
  let waitMs = WAIT_MS_MIN;
  let wake = () => {};

  function takeEvent(type, data, id) {
    handlers.event(type, JSON.parse(data));
    if (id) lastId = id;
    waitMs = WAIT_MS_MIN;
  }

  async function readOnce() {
    const stopper = new AbortController();
    let watch = setTimeout(() => stopper.abort(), SILENCE_MS);
    try {
      const headers = { Accept: 'text/event-stream', ...(lastId && { 'Last-Event-ID': lastId }) };
      const answer = await fetch(url, { headers, cache: 'no-store', signal: stopper.signal });
      if (!answer.ok) throw new Error(`the node answered ${answer.status}`);
      const take = createParser(takeEvent);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error('the node ended the stream');
        clearTimeout(watch);
        watch = setTimeout(() => stopper.abort(), SILENCE_MS);
        take(value);
      }
    } catch (error) {
      if (stopper.signal.aborted) return 'the node went silent';
      return error instanceof TypeError ? 'the node cannot be reached' : error.message;
    } finally {
      clearTimeout(watch);
      stopper.abort();
    }
  }

  function pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function run() {
    for (;;) {
      const reason = await readOnce();
      const ms = waitMs * (0.75 + Math.random() / 2);
      waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
      handlers.lost(reason);
      await pause(ms);
    }
  }

  // Whoever comes back to the page, or to the network, does not want to wait.
  window.addEventListener('online', () => wake());
  document.addEventListener('visibilitychange', () => document.hidden || wake());
  run();
}

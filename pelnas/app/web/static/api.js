// What the page asks of its server.

// The key came behind the # of the printed address and is kept in the storage of this origin, which
// no other port of this machine can read. A cookie would be sent to all of them.

const KEY = "pelnas-key";
const RETRY = 3000; // ms until a lost stream of events is asked for again
let session = null;

/** Keep the key of an address that has one, and take it out of what the browser shows and remembers. */
export function takeKey() {
  const [, key, view] = location.hash.match(/^#key=([\w-]+)(.*)$/) ?? [];
  if (!key) return;
  localStorage.setItem(KEY, key);
  history.replaceState(null, "", `#${view || "/"}`);
}

/** What the server says once: the grammar, the choices. */
export async function opened() {
  session ??= await get("/api/session");
  return session;
}

export async function get(address) {
  return await answer(await ask(address));
}

export async function post(address, body) {
  const headers = { "content-type": "application/json" };
  return await answer(await ask(address, { method: "POST", headers, body: JSON.stringify(body) }));
}

function ask(address, { headers = {}, ...rest } = {}) {
  const authorization = `Bearer ${localStorage.getItem(KEY) ?? ""}`;
  return fetch(address, { credentials: "omit", headers: { ...headers, authorization }, ...rest });
}

export function of(run, rest = "") {
  return `/api/runs/${encodeURIComponent(run)}${rest}`;
}

/** Follow a run's events from a place on; returns what ends it. */
export function follow(run, after, { onEvent, onState, onBroken }) {
  const stop = new AbortController();
  const take = ({ event, data, id }) => {
    if (id) after = id;
    (event === "state" ? onState : onEvent)(JSON.parse(data));
  };
  const listen = async () => {
    while (!stop.signal.aborted) {
      const again = await stream(of(run, `/events?after=${after}`), stop.signal, take).catch(() => true);
      if (stop.signal.aborted) return;
      onBroken(again);
      if (!again) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  };
  listen();
  return () => stop.abort();
}

/** Hand on the messages of a stream until it ends; returns whether to ask for it again. */
async function stream(address, signal, take) {
  const response = await ask(address, { signal });
  if (!response.ok) return false; // as it will be the next time
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return true;
    const messages = (held + value).split("\n\n");
    held = messages.pop();
    for (const message of messages) take(fields(message));
  }
}

function fields(message) {
  return Object.fromEntries(message.split("\n").map((line) => {
    const colon = line.indexOf(": ");
    return [line.slice(0, colon), line.slice(colon + 2)];
  }));
}

async function answer(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    throw new Error(`the server answered ${response.status}: is it still running?`);
  }
  if (!response.ok) throw new Error(body.error || `the server answered ${response.status}`);
  return body;
}

// What the page asks of its server.

let session = null;

/** What the server says once: its proof for writing, the grammar, the choices. */
export async function opened() {
  session ??= await get("/api/session");
  return session;
}

export async function get(address) {
  return await answer(await fetch(address, { credentials: "same-origin" }));
}

export async function post(address, body) {
  const { proof } = await opened();
  const headers = { "content-type": "application/json", "x-pelnas-proof": proof };
  return await answer(
    await fetch(address, { method: "POST", headers, body: JSON.stringify(body) }),
  );
}

export function of(run, rest = "") {
  return `/api/runs/${encodeURIComponent(run)}${rest}`;
}

/** Follow a run's events from a place on; returns what ends it. */
export function follow(run, after, { onEvent, onState, onBroken }) {
  const source = new EventSource(of(run, `/events?after=${after}`));
  source.addEventListener("message", (message) => onEvent(JSON.parse(message.data)));
  source.addEventListener("state", (message) => onState(JSON.parse(message.data)));
  source.addEventListener("error", () => onBroken(source.readyState !== EventSource.CLOSED));
  return () => source.close();
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

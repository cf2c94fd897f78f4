// Shared parts of the scenarios: env, a recording WebSocket, step/expect helpers. Drives the unmodified @talkjs/core.
import fs from "node:fs";
import crypto from "node:crypto";
import readline from "node:readline";
import assert from "node:assert/strict";
import WS from "ws";
import { getTalkSession, registerPolyfills } from "@talkjs/core";

export { assert };
export const HOST = process.env.HOST ?? "localhost:8700";
export const APP_ID = process.env.APP_ID ?? "app1";
export const RUN = process.env.RUN_ID ?? Date.now().toString(36) + crypto.randomBytes(2).toString("hex");
export const USER_ID = process.env.USER_ID ?? `alice-${RUN}`;
export const USER2_ID = process.env.USER2_ID ?? `${USER_ID}-bob`;
export const TOKEN = process.env.TOKEN || undefined;
export const TOKEN2 = process.env.TOKEN2 || undefined;
export const SECRET = process.env.SECRET || undefined; // HS256 key: when given, tokens are minted for every user
export const WAIT = +(process.env.WAIT_MS ?? 5000);

// ---- recording ---------------------------------------------------------------
export const frames = []; // {t, user, dir: "open"|"out"|"in"|"close"|"http"|"http-reply", ...}
const out = process.env.RECORD ? fs.createWriteStream(process.env.RECORD) : null;
const t0 = Date.now();
function rec(o) {
  const line = { t: Date.now() - t0, ...o };
  frames.push(line);
  out?.write(JSON.stringify(line) + "\n");
}
const sockets = new Set();
class RecordingWebSocket extends WS {
  constructor(url) {
    // One message per turn, as in browsers. By default ws hands over at once all that came in one chunk; then the client,
    // which applies answers a moment later than events, loses an event right behind the answer to the GET of its store.
    super(url, { allowSynchronousEvents: false });
    this.user = decodeURIComponent(new URL(url).pathname.split("/").at(-1));
    rec({ user: this.user, dir: "connect", url: String(url) });
    sockets.add(this);
    this.on("open", () => rec({ user: this.user, dir: "open" }));
    this.on("message", (d) => {
      let frame;
      try { frame = JSON.parse(d.toString()); } catch { frame = ["<not JSON>", d.toString()]; }
      rec({ user: this.user, dir: "in", frame });
    });
    this.on("close", (code) => { sockets.delete(this); rec({ user: this.user, dir: "closed", code }); });
    this.on("error", (e) => rec({ user: this.user, dir: "error", message: e.message }));
  }
  send(d) { rec({ user: this.user, dir: "out", frame: JSON.parse(d) }); super.send(d); }
  close(code) { rec({ user: this.user, dir: "client-close", code }); super.close(code); }
  terminate() { rec({ user: this.user, dir: "client-terminate" }); super.terminate(); }
}
registerPolyfills({ WebSocket: RecordingWebSocket });
/** cut the TCP connection of a user, as a dying server or network would */
export function cut(user) { for (const s of sockets) if (s.user === user) s.terminate(); }
/** from now on a reconnect takes little more than 5 s, not up to 15: the client waits a random time */
export function hurry() { const random = Math.random; Math.random = () => random() * 0.05; }
let answers;
/** have whoever runs this scenario (CONTROL=1) "kill", "stop" or "start" the server; null where nobody can */
export async function server(order) {
  if (!process.env.CONTROL) return null;
  answers ??= readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log(JSON.stringify({ control: order }));
  return (await answers.next()).value;
}
export const openSockets = (user) => [...sockets].filter((s) => s.user === user && s.readyState === 1);
const realFetch = globalThis.fetch;
globalThis.fetch = async (url, init = {}) => {
  const { Authorization, ...headers } = init.headers ?? {};
  rec({ dir: "http", method: init.method, url: String(url), headers: { ...headers, ...(Authorization ? { Authorization: Authorization.slice(0, 20) + "..." } : {}) },
    ...(init.body instanceof FormData ? { form: [...init.body.entries()].map(([k, v]) => [k, typeof v === "string" ? v : `<${v.name} ${v.size} bytes>`]) } : {}) });
  const r = await realFetch(url, init);
  const copy = r.clone();
  copy.text().then((body) => rec({ dir: "http-reply", url: String(url), status: r.status, body }), () => {});
  return r;
};
/** requests sent by a user, as {seq, method, path, data} */
export const sent = (user, from = 0) => frames.slice(from).filter((f) => f.dir === "out" && f.user === user && f.frame[1] !== "ACK")
  .map((f) => ({ t: f.t, seq: f.frame[0], method: f.frame[1], path: f.frame[2], data: f.frame[3], headers: f.frame[4] }));
export const events = (user, from = 0) => frames.slice(from).filter((f) => f.dir === "in" && f.user === user && f.frame[1] === "PUBLISH").flatMap((f) => f.frame.slice(2));

// ---- sessions and tokens -------------------------------------------------------
export function mintToken(userId, { expIn = 3600 * 24, secret = SECRET ?? "dev-secret", ...claims } = {}) {
  const enc = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
  const body = enc({ alg: "HS256", typ: "JWT" }) + "." + enc({ iss: APP_ID, sub: userId, tokenType: "user", ...(expIn === null ? {} : { exp: Math.floor(Date.now() / 1000) + expIn }), ...claims });
  return body + "." + crypto.createHmac("sha256", secret).update(body).digest("base64url");
}
export function session(userId = USER_ID, extra = {}) {
  const { noAuth, ...rest } = extra;
  const s = getTalkSession({ appId: APP_ID, userId, host: HOST, forceCreateNew: true, ...rest });
  if (!noAuth) {
    const token = userId === USER_ID ? TOKEN : userId === USER2_ID ? TOKEN2 : undefined;
    if (SECRET) s.setToken(mintToken(userId)); else if (token) s.setToken(token);
  }
  return s;
}
export const conv = (name) => `${name}-${RUN}`;

// ---- steps ---------------------------------------------------------------------
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
export async function until(pred, what = "condition", ms = WAIT) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await pred();
    if (v) return v;
    if (Date.now() > end) throw new Error(`timed out after ${ms} ms: ${what}`);
    await sleep(10);
  }
}
/** collects the snapshots of a subscription */
export function watch() {
  const snaps = [];
  const cb = (s, loadedAll) => snaps.push({ s, loadedAll });
  return { cb, snaps, get last() { return snaps.at(-1)?.s; }, get loadedAll() { return snaps.at(-1)?.loadedAll; },
    until: (pred, what, ms) => until(() => snaps.length && pred(snaps.at(-1).s, snaps.at(-1).loadedAll), what, ms) };
}
export function scenario(name) {
  let failed = 0, n = 0;
  const print = (o) => console.log(JSON.stringify({ scenario: name, ...o }));
  const stop = (step, error, code) => { print({ step, ok: false, error }); process.exit(code); };
  realFetch(`http://${HOST}/api/v0/${APP_ID}`, { signal: AbortSignal.timeout(5000) }).catch((e) => stop("preflight", `no server at ${HOST}: ${e.cause?.code ?? e.message}`, 2));
  setTimeout(() => stop("whole scenario", "did not finish in time", 1), +(process.env.SCENARIO_MS ?? 240000)).unref();
  const guard = (e) => { failed++; print({ step: "unhandled", ok: false, error: String(e?.stack ?? e) }); };
  process.on("unhandledRejection", guard);
  return {
    async step(title, fn) {
      const start = Date.now();
      n++;
      try {
        let timer;
        const limit = new Promise((_, rej) => { timer = setTimeout(() => rej(new Error("step did not finish")), +(process.env.STEP_MS ?? (process.env.LONG ? 90000 : 30000))); });
        const info = await Promise.race([fn(), limit]);
        clearTimeout(timer);
        print({ step: title, ok: true, ms: Date.now() - start, ...(info && typeof info === "object" ? { info } : {}) });
      } catch (e) { failed++; print({ step: title, ok: false, ms: Date.now() - start, error: String(e?.message ?? e).slice(0, 600) }); }
    },
    skip(title, why) { print({ step: title, ok: true, skipped: why }); },
    async done() {
      print({ step: "done", ok: failed === 0, steps: n, failed });
      if (out) await new Promise((r) => out.end(r));
      process.exit(failed ? 1 : 0);
    },
  };
}

// Two clients behind a link with faults: whatever happens to their connections, each message is there once and everybody
// sees what is true (protocol.md 2.4). Whoever runs this does to the link what it asks for (test_cuts.py).
import { session, scenario, USER_ID, USER2_ID, conv, assert, watch, until, hurry, openSockets, frames, server } from "./lib.mjs";
const t = scenario("cuts");
hurry();
const LONG = 60000;
const a = session(), b = session(USER2_ID);
await a.currentUser.createIfNotExists({ name: "Alice" });
await b.currentUser.createIfNotExists({ name: "Bob" });
const mine = a.conversation(conv("cuts")), his = b.conversation(conv("cuts"));
await his.createIfNotExists();
await his.participant(USER_ID).createIfNotExists();
const m = watch(), c = watch(), u = watch(), o = watch();
const live = [mine.subscribeMessages(m.cb), mine.subscribe(c.cb), a.user(USER2_ID).subscribe(u.cb), his.subscribeMessages(o.cb)];
for (const w of [m, c, u, o]) await w.until(() => true, "first snapshot");
const opened = () => frames.filter((f) => f.dir === "open").length;
const faults = {
  "reset": true, "end": true, "reset while sending": true, "reset while receiving": true,
  "hold back": false, "split": false, "throttle": false, "duplicate": false, "half-open": true,
};
const said = [];
let n = 0;
for (const [fault, loses] of Object.entries(faults)) {
  await t.step(fault, async () => {
    n++;
    const before = opened();
    await server(fault);
    const busy = [his.send(`bob ${n}`), mine.send(`alice ${n}`), his.set({ subject: `s${n}` }), b.currentUser.set({ name: `Bob ${n}` })];
    said.push(`bob ${n}`, `alice ${n}`);
    if (fault === "half-open") await until(() => openSockets(USER_ID).length === 0, "the silence is noticed", LONG);
    await server("calm");
    await Promise.all(busy);
    if (loses) await until(() => opened() > before, "a new connection", LONG);
    for (const w of [m, o]) {
      await w.until((s) => s.length === said.length, "all messages", LONG);
      assert.deepEqual(w.last.map((x) => x.plaintext).sort(), [...said].sort());
    }
    await c.until((s) => s.subject === `s${n}`, "the subject", LONG);
    await u.until((s) => s.name === `Bob ${n}`, "the name", LONG);
    return { connections: opened() - before };
  });
}
for (const s of live) s.unsubscribe();
await t.done();

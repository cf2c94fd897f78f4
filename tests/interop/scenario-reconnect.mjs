// What a client shows after its connection was lost and others went on meanwhile (protocol.md 10.1), without a reload.
// Rounds: the connection is cut; with CONTROL=1 also the server killed and restarted, stopped and restarted.
// What the client does not read again by itself is demanded only with EXPECT_CATCHUP=1.
import { session, scenario, USER_ID, USER2_ID, RUN, conv, assert, watch, sent, events, frames, until, cut, hurry, openSockets, server } from "./lib.mjs";
const t = scenario("reconnect");
hurry();
const SOON = 8000, CATCHUP = !!process.env.EXPECT_CATCHUP;
const a = session();
let b = session(USER2_ID);
const carol = `carol-${RUN}`, ghost = (n) => `ghost${n}-${RUN}`;
await a.currentUser.createIfNotExists({ name: "Alice" });
await b.currentUser.createIfNotExists({ name: "Bob" });
await b.user(carol).createIfNotExists({ name: "Carol" });
/** a conversation of Bob, where Alice is from the start unless told otherwise */
async function found(name, { joined = true, params = {} } = {}) {
  const c = b.conversation(conv(name));
  await c.createIfNotExists(params);
  if (joined) await c.participant(USER_ID).createIfNotExists();
  return c;
}
const alice = (name) => a.conversation(conv(name)), bob = (name) => b.conversation(conv(name));
const live = [];
/** a subscription that lives through all rounds */
async function follow(subscribe) {
  const w = watch(); live.push(subscribe(w.cb));
  await w.until(() => true, "first snapshot");
  return w;
}
const byId = (s, id) => s.find((x) => (x.user ?? x).id === id);

// One fact per line: how it begins, what Bob does while Alice is away in round n, what Alice must see soon after.
const facts = {
  async "subject, photo, custom with keys deleted"() {
    await found("conv", { params: { subject: "s", custom: { stays: "1", round0: "x" } } });
    const w = await follow((cb) => alice("conv").subscribe(cb)), l = await follow((cb) => a.subscribeConversations(cb));
    return {
      needsCatchup: true,
      change: (n) => bob("conv").set({ subject: `s${n}`, photoUrl: n % 2 ? "http://x/y.png" : null, custom: { [`round${n - 1}`]: null, [`round${n}`]: "x" } }),
      async see(n) {
        await w.until((s) => s.subject === `s${n}`, "conversation", SOON);
        assert.deepEqual(w.last.custom, { stays: "1", [`round${n}`]: "x" }); assert.equal(w.last.photoUrl, n % 2 ? "http://x/y.png" : null);
        await l.until((s) => byId(s, conv("conv"))?.subject === `s${n}`, "list", SOON);
      },
    };
  },
  async "new messages and the unread count"() {
    await found("unread");
    const w = await follow((cb) => alice("unread").subscribe(cb)), m = await follow((cb) => alice("unread").subscribeMessages(cb));
    return {
      needsCatchup: true,
      change: async (n) => { await bob("unread").send(`x${n}`); await bob("unread").send(`y${n}`); },
      async see(n) {
        await m.until((s) => s.length === 2 * n && s[0].plaintext === `y${n}`, "messages", SOON);
        await w.until((s) => s.unreadMessageCount === 2 * n && s.lastMessage.plaintext === `y${n}`, "count", SOON);
      },
    };
  },
  async "read elsewhere, and marked as unread"() {
    const c = await found("marks"); await c.send("x");
    const w = await follow((cb) => alice("marks").subscribe(cb));
    return {
      needsCatchup: true,
      async change(n) {
        const other = session();
        if (n % 2) await other.conversation(conv("marks")).markAsRead(); else await other.conversation(conv("marks")).markAsUnread();
      },
      see: (n) => w.until((s) => s.isUnread === !(n % 2) && s.unreadMessageCount === 0, "isUnread", SOON),
    };
  },
  async "my access and notify"() {
    await found("mine");
    const w = await follow((cb) => alice("mine").subscribe(cb)), p = await follow((cb) => alice("mine").participant(USER_ID).subscribe(cb));
    return {
      needsCatchup: true,
      change: (n) => bob("mine").participant(USER_ID).edit({ access: n % 2 ? "Read" : "ReadWrite", notify: n % 2 ? "MentionsOnly" : true }),
      async see(n) {
        for (const x of [w, p]) await x.until((s) => s.access === (n % 2 ? "Read" : "ReadWrite") && s.notify === (n % 2 ? "MentionsOnly" : true), "access", SOON);
      },
    };
  },
  async "the access of others, in the list and alone"() {
    const c = await found("others"); await c.participant(carol).createIfNotExists();
    const l = await follow((cb) => alice("others").subscribeParticipants(cb)), p = await follow((cb) => alice("others").participant(carol).subscribe(cb));
    return {
      needsCatchup: true,
      change: (n) => bob("others").participant(carol).edit({ access: n % 2 ? "Read" : "ReadWrite" }),
      async see(n) {
        await p.until((s) => s.access === (n % 2 ? "Read" : "ReadWrite"), "single", SOON);
        await l.until((s) => byId(s, carol)?.access === (n % 2 ? "Read" : "ReadWrite"), "list", SOON);
      },
    };
  },
  async "who came and went, in the list and alone"() {
    await found("seats");
    const l = await follow((cb) => alice("seats").subscribeParticipants(cb)), p = await follow((cb) => alice("seats").participant(carol).subscribe(cb));
    return {
      needsCatchup: true,
      change: (n) => n % 2 ? bob("seats").participant(carol).createIfNotExists() : bob("seats").participant(carol).delete(),
      async see(n) {
        await l.until((s) => !!byId(s, carol) === !!(n % 2), "list", SOON);
        await p.until((s) => (s !== null) === !!(n % 2), "single", SOON);
      },
    };
  },
  async "edited messages"() {
    const c = await found("edits"), m = await c.send({ text: "e0", custom: { round0: "x", stays: "1" } }); await c.send("last");
    const w = await follow((cb) => alice("edits").subscribeMessages(cb));
    return {
      needsCatchup: true,
      change: (n) => bob("edits").message(m.id).edit({ text: `e${n}`, custom: { [`round${n - 1}`]: null, [`round${n}`]: "x" } }),
      async see(n) {
        await w.until((s) => byId(s, m.id).plaintext === `e${n}`, "edited", SOON);
        assert.deepEqual(byId(w.last, m.id).custom, { stays: "1", [`round${n}`]: "x" }); assert.equal(w.last.length, 2);
      },
    };
  },
  async "the last message of a conversation, edited"() {
    const c = await found("last"), m = await c.send("l0");
    const w = await follow((cb) => alice("last").subscribe(cb));
    return { needsCatchup: true, change: (n) => bob("last").message(m.id).edit(`l${n}`), see: (n) => w.until((s) => s.lastMessage.plaintext === `l${n}`, "last message", SOON) };
  },
  async "deleted messages"() {
    const c = await found("deletions"), ms = []; for (let i = 0; i < 5; i++) ms.push(await c.send(`d${i}`));
    const w = await follow((cb) => alice("deletions").subscribeMessages(cb)), x = await follow((cb) => alice("deletions").subscribe(cb));
    return {
      change: (n) => bob("deletions").message(ms[5 - n].id).delete(),
      async see(n) {
        await w.until((s) => s.length === 5 - n && s[0].plaintext === `d${4 - n}`, "messages", SOON);
        await x.until((s) => s.lastMessage.plaintext === `d${4 - n}`, "last message", SOON);
      },
    };
  },
  async "a reply to a message that is deleted, beyond the window"() {
    const c = await found("reply", { joined: false }), ms = []; for (let i = 0; i < 4; i++) ms.push(await c.send(`o${i}`));
    for (let i = 0; i < 28; i++) await c.send(`f${i}`);
    for (let i = 1; i < 4; i++) await c.send({ text: `reply${i}`, referencedMessage: ms[i].id });
    await c.participant(USER_ID).createIfNotExists();
    const w = await follow((cb) => alice("reply").subscribeMessages(cb));
    await w.until((s) => s[0].referencedMessage?.id === ms[3].id, "the reply");
    return { change: (n) => bob("reply").message(ms[4 - n].id).delete(), see: (n) => w.until((s) => s[n - 1].plaintext === `reply${4 - n}` && s[n - 1].referencedMessage === null, "no reference", SOON) };
  },
  async "reactions added and removed"() {
    const c = await found("reactions"), m = await c.send("react"), others = [m]; await c.message(m.id).reactions("🧊").add();
    for (let i = 0; i < 3; i++) others.push(await c.send("to be deleted"));
    const w = await follow((cb) => alice("reactions").subscribeMessages(cb)), l = await follow((cb) => alice("reactions").message(m.id).reactions("👍").subscribe(cb));
    const shown = (s) => byId(s, m.id).reactions.map((r) => `${r.emoji}${r.count}`).join();
    return {
      needsCatchup: true,
      async change(n) {
        const it = bob("reactions").message(m.id), [plus, minus] = n % 2 ? ["👍", "🧊"] : ["🧊", "👍"];
        await it.reactions(plus).add(); await it.reactions(minus).remove();
        if (n > 1) await bob("reactions").message(others[n - 1].id).delete(); // first with the same ids, then not
      },
      async see(n) {
        await w.until((s) => shown(s) === (n % 2 ? "👍1" : "🧊1"), "summary", SOON);
        await l.until((s) => s.length === n % 2, "who reacted", SOON);
      },
    };
  },
  async "users, changed and new"() {
    const w = await follow((cb) => a.user(USER2_ID).subscribe(cb)), g = {};
    for (const n of [1, 2, 3]) g[n] = await follow((cb) => a.user(ghost(n)).subscribe(cb));
    return {
      change: async (n) => { await b.currentUser.set({ name: `Bob ${n}` }); await b.user(ghost(n)).createIfNotExists({ name: "Ghost" }); },
      async see(n) { await w.until((s) => s.name === `Bob ${n}`, "edited", SOON); await g[n].until((s) => s?.name === "Ghost", "created", SOON); },
    };
  },
  async "joined, left, and joined again"() {
    await found("door", { joined: false, params: { subject: "d0" } });
    const x = await follow((cb) => alice("door").subscribe(cb)), m = await follow((cb) => alice("door").subscribeMessages(cb)), l = await follow((cb) => a.subscribeConversations(cb)), y = await follow((cb) => alice("door").subscribeTyping(cb));
    return {
      needsCatchup: true,
      change: async (n) => { await bob("door").set({ subject: `d${n}` }); await bob("door").participant(USER_ID)[n % 2 ? "createIfNotExists" : "delete"](); },
      async see(n) {
        await m.until((s) => (s !== null) === !!(n % 2), "messages", SOON);
        await x.until((s) => n % 2 ? s?.subject === `d${n}` : s === null, "conversation", SOON);
        await l.until((s) => !!byId(s, conv("door")) === !!(n % 2), "list", SOON);
        await y.until((s) => (s !== null) === !!(n % 2), "typing", SOON);
      },
    };
  },
  async "left and joined again while away"() {
    await found("swing", { params: { subject: "w0", custom: { k0: "x" } } }); await bob("swing").send("x");
    const x = await follow((cb) => alice("swing").subscribe(cb)), m = await follow((cb) => alice("swing").subscribeMessages(cb)), y = await follow((cb) => alice("swing").subscribeTyping(cb));
    return { // its joinedAt is in no event: that stays as it was
      needsCatchup: true,
      async change(n) {
        await bob("swing").participant(USER_ID).delete();
        await bob("swing").set({ subject: `w${n}`, custom: { [`k${n - 1}`]: null, [`k${n}`]: "x" } });
        await bob("swing").participant(USER_ID).createIfNotExists();
      },
      async see(n) {
        await x.until((s) => s?.subject === `w${n}`, "conversation", SOON);
        assert.deepEqual(x.last.custom, { [`k${n}`]: "x" });
        await m.until((s) => s?.length === 1, "messages", SOON);
        await y.until((s) => s !== null, "typing", SOON);
      },
    };
  },
  async "a window that was loaded further"() {
    const c = await found("long", { joined: false }), ms = []; for (let i = 0; i < 45; i++) ms.push(await c.send(`m${i}`));
    await c.participant(USER_ID).createIfNotExists();
    const w = watch(), sub = alice("long").subscribeMessages(w.cb); live.push(sub);
    await w.until((s) => s.length === 30, "30");
    await sub.loadMore(15); await w.until((s) => s.length === 45, "45");
    return {
      change: async (n) => { await bob("long").message(ms[3].id).edit(`old${n}`); await bob("long").message(ms[44].id).edit(`new${n}`); },
      async see(n) {
        await w.until((s) => byId(s, ms[44].id).plaintext === `new${n}`, "the newest", SOON);
        if (w.last.length < 45) { await sub.loadMore(15); await w.until((s, all) => s.length === 45 && all, "45 again"); }
        assert.equal(byId(w.last, ms[3].id).plaintext, `old${n}`);
      },
    };
  },
};

const state = {};
for (const [name, begin] of Object.entries(facts)) await t.step(`begin: ${name}`, async () => { state[name] = await begin(); });
let quiet;
await t.step("begin: a conversation where nothing happens", async () => { await found("quiet", { params: { subject: "q", custom: { k: "v" } } }); quiet = await follow((cb) => alice("quiet").subscribe(cb)); });

const rounds = { "the connection is cut": async () => cut(USER_ID) };
if (process.env.CONTROL) {
  rounds["the server is killed"] = async () => { await server("kill"); await server("start"); b = session(USER2_ID); };
  rounds["the server is stopped"] = async () => { await server("stop"); await server("start"); b = session(USER2_ID); };
}
let n = 0;
for (const [what, lose] of Object.entries(rounds)) {
  n++;
  const failed = {}, from = frames.length;
  let shown, left;
  await t.step(`${what}: others go on`, async () => {
    const start = Date.now();
    shown = quiet.snaps.length;
    await lose();
    await until(() => openSockets(USER_ID).length === 0, "no connection");
    left = frames.length;
    for (const [name, fact] of Object.entries(state)) await fact.change(n).catch((e) => (failed[name] = e));
    const early = sent(USER_ID, left).some((r) => r.method === "SUBSCRIBE");
    assert.ok(!early, `too slow: Alice was back before it was all done (${Date.now() - start} ms)`);
  });
  await t.step(`${what}: the client comes back and subscribes again`, async () => {
    await until(() => sent(USER_ID, left).filter((r) => r.method === "SUBSCRIBE" && r.path.startsWith("/me/")).length > 5, "SUBSCRIBEs", 15000);
    return { requests: sent(USER_ID, left).length };
  });
  for (const [name, fact] of Object.entries(state)) {
    if (fact.needsCatchup && !CATCHUP) { t.skip(`${what}: ${name}`, "EXPECT_CATCHUP=1"); continue; }
    await t.step(`${what}: ${name}`, async () => { if (failed[name]) throw failed[name]; await fact.see(n); });
  }
  await t.step(`${what}: what nobody changed stayed as it was`, async () => {
    assert.equal(quiet.last.subject, "q"); assert.deepEqual(quiet.last.custom, { k: "v" });
    return { snapshots: quiet.snaps.length - shown };
  });
  await t.step(`${what}: and everything is live again`, async () => {
    await bob("quiet").send(`live${n}`);
    await quiet.until((s) => s.lastMessage?.plaintext === `live${n}` && s.unreadMessageCount === n, "live", SOON);
    return { events: events(USER_ID, from).length };
  });
}
for (const s of live) s.unsubscribe();
await t.done();

// Tokens that end while the session lives. Needs SECRET; takes as long as the server's leeway for clocks.
import { session, scenario, USER_ID, USER2_ID, SECRET, RUN, conv, mintToken, assert, watch, sent, events, frames, until } from "./lib.mjs";
const t = scenario("expired");
if (!SECRET) { t.skip("expired", "set SECRET"); await t.done(); }
const renews = (from = 0) => sent(USER_ID, from).filter((r) => r.path === "/session/renew");
const b = session(USER2_ID);
const C = conv("exp"), cb = b.conversation(C);
const a = session(USER_ID, { noAuth: true }), ca = a.conversation(C);
let asked = 0, give;
a.onNeedToken = () => { asked++; give = (o) => a.setToken(mintToken(USER_ID, o)); if (asked === 1) give({ expIn: 1 }); };
await b.currentUser.createIfNotExists({ name: "Bob" });
await a.currentUser.createIfNotExists({ name: "Alice" });
await cb.createIfNotExists({ subject: "old", custom: { k: "1" } });
await cb.participant(USER_ID).createIfNotExists();
await cb.send("one");
const wc = watch(), wm = watch(), wu = watch(), wl = watch();
const subs = [ca.subscribe(wc.cb), ca.subscribeMessages(wm.cb), a.user(USER2_ID).subscribe(wu.cb), a.subscribeConversations(wl.cb)];
await t.step("a token that ends soon is good until then", async () => {
  for (const w of [wc, wm, wu, wl]) await w.until((s) => s !== null && s !== undefined, "first snapshot");
});
await t.step("session.expired is pushed, and the client asks for a token", async () => {
  await until(() => events(USER_ID).some((e) => e.type === "session.expired"), "session.expired", 12000);
  await until(() => asked === 2, "onNeedToken");
  assert.equal(wc.last.subject, "old");
});
let from;
await t.step("nothing is told to who has no token", async () => {
  from = frames.length;
  await cb.set({ subject: "new", custom: { k: null, n: "2" } });
  await cb.send("two");
  await b.currentUser.set({ name: "Bobby" });
  assert.deepEqual(events(USER_ID, from), []);
});
await t.step("the new token is shown on the same connection, and everything is subscribed again", async () => {
  give({ expIn: 3600 });
  await until(() => renews(from).length === 1, "renew");
  await until(() => sent(USER_ID, from).filter((r) => r.method === "SUBSCRIBE").length >= 4, "subscribed");
  assert.equal(frames.filter((f) => f.user === USER_ID && f.dir === "connect").length, 1);
});
await t.step("what happened meanwhile is seen (the conversation only with EXPECT_CATCHUP=1)", async () => {
  await wm.until((s) => s[0].plaintext === "two", "message");
  await wu.until((s) => s.name === "Bobby", "user");
  if (!process.env.EXPECT_CATCHUP) return;
  for (const w of [wc]) await w.until((s) => s.subject === "new" && s.unreadMessageCount === 2, "conversation");
  assert.deepEqual(wc.last.custom, { n: "2" });
  await wl.until((s) => s[0].subject === "new", "list");
});
await t.step("and so is what happens from now on", async () => {
  await cb.send("three");
  await wm.until((s) => s[0].plaintext === "three", "message");
  await wc.until((s) => s.unreadMessageCount === 3, "unread");
  await ca.send("four");
});
for (const s of subs) s.unsubscribe();
await t.done();

import { session, scenario, USER_ID, USER2_ID, RUN, conv, assert, watch, sent, frames } from "./lib.mjs";
const t = scenario("participants");
const a = session(), b = session(USER2_ID);
const C = conv("part"), ca = a.conversation(C), cb = b.conversation(C);
const carol = `carol-${RUN}`;
await a.currentUser.createIfNotExists({ name: "Alice" });
await b.currentUser.createIfNotExists({ name: "Bob" });
await a.user(carol).createIfNotExists({ name: "Carol" });
await ca.createIfNotExists({ notify: "MentionsOnly" });
const names = (s) => s.map((p) => p.user.name);
const w = watch(), sub = ca.subscribeParticipants(w.cb);
const wb = watch(), subB = cb.subscribeParticipants(wb.cb);
const wc = watch(), subC = ca.participant(carol).subscribe(wc.cb);

await t.step("the creator is in it", async () => {
  await w.until((s, all) => s?.length === 1 && all, "one");
  const [p] = w.last;
  assert.equal(p.user.id, USER_ID); assert.equal(p.access, "ReadWrite"); assert.equal(p.notify, "MentionsOnly"); assert.equal(typeof p.joinedAt, "number");
  return { keys: Object.keys(p) };
});
await t.step("null when not in", async () => {
  await wb.until((s) => s === null, "null");
  assert.equal(await cb.participant(USER2_ID).get(), null);
  await assert.rejects(cb.participant(USER_ID).get());
  await assert.rejects(cb.participant(carol).edit({ notify: false }), /failed, got status 40[34]/);
  await assert.rejects(cb.participant(carol).createIfNotExists(), /failed, got status 40[34]/);
});
await t.step("null for somebody who is not in, while I am", async () => {
  await wc.until((s) => s === null, "null");
  assert.equal(await ca.participant(carol).get(), null);
});
await t.step("createIfNotExists: joining is seen by who was in and by who joins", async () => {
  const from = frames.length;
  await ca.participant(USER2_ID).createIfNotExists({ access: "ReadWrite", notify: false });
  await w.until((s) => s.length === 2, "participant.created");
  await wb.until((s) => s?.length === 2, "list after joining");
  assert.deepEqual(names(w.last), ["Bob", "Alice"]);
  assert.deepEqual(names(wb.last), ["Bob", "Alice"]);
  assert.equal(w.last[0].notify, false);
  return { request: sent(USER_ID, from).filter((r) => r.method === "POST").map((r) => [r.path.replace(C, "C"), r.data]) };
});
await t.step("createIfNotExists again changes nothing", async () => {
  await ca.participant(USER2_ID).createIfNotExists({ notify: true });
  assert.equal((await ca.participant(USER2_ID).get()).notify, false);
});
await t.step("the single subscription turns into a snapshot", async () => {
  await ca.participant(carol).set({ access: "Read" });
  await wc.until((s) => s?.access === "Read" && s.user.name === "Carol" && s.notify === true, "carol");
  await w.until((s) => s.length === 3, "3");
  assert.deepEqual(names(w.last), ["Carol", "Bob", "Alice"]);
});
await t.step("edit access and notify: list, single and the other user see it", async () => {
  await ca.participant(carol).edit({ access: "ReadWrite", notify: "MentionsOnly" });
  await wc.until((s) => s.access === "ReadWrite" && s.notify === "MentionsOnly", "single");
  for (const x of [w, wb]) await x.until((s) => s.find((p) => p.user.id === carol)?.access === "ReadWrite", "list");
});
await t.step("my own access and notify show in the conversation", async () => {
  const x = watch(), s = cb.subscribe(x.cb); await s.connected;
  await cb.participant(USER2_ID).edit({ notify: "MentionsOnly" });
  await x.until((y) => y.notify === "MentionsOnly", "notify");
  await ca.participant(USER2_ID).edit({ access: "Read" });
  await x.until((y) => y.access === "Read", "access");
  s.unsubscribe();
});
await t.step("Read access can neither send nor edit", async () => {
  await assert.rejects(cb.send("x"), /failed, got status 403/);
  await assert.rejects(cb.set({ subject: "x" }), /failed, got status 403/);
  await assert.rejects(cb.participant(carol).edit({ access: "Read" }), /failed, got status 403/);
  await ca.participant(USER2_ID).edit({ access: "ReadWrite" });
  await cb.send("y");
});
await t.step("edit of somebody who is not in rejects", async () => {
  await assert.rejects(ca.participant(`nobody-${RUN}`).edit({ access: "Read" }), /failed, got status 404/);
});
await t.step("a user's new name shows in the list", async () => {
  await a.user(carol).set({ name: "Carola" });
  await w.until((s) => names(s).includes("Carola"), "user.edited");
  await wc.until((s) => s.user.name === "Carola", "user.edited");
});
await t.step("delete, twice", async () => {
  await ca.participant(carol).delete();
  await wc.until((s) => s === null, "single null");
  for (const x of [w, wb]) await x.until((s) => s.length === 2, "gone");
  await ca.participant(carol).delete();
});
await t.step("leaving gives null, and those who stay see it", async () => {
  await cb.participant(USER2_ID).delete();
  await wb.until((s) => s === null, "null");
  await w.until((s) => s.length === 1, "gone");
  assert.equal(await cb.participant(USER2_ID).get(), null);
});
await t.step("loadMore pages through 27 participants, newest first", async () => {
  const D = conv("crowd"), cd = a.conversation(D), ids = Array.from({ length: 26 }, (_, i) => `p${i}-${RUN}`);
  await cd.createIfNotExists();
  for (const id of ids) { await a.user(id).createIfNotExists({ name: id }); await cd.participant(id).createIfNotExists(); }
  const from = frames.length, x = watch(), s = cd.subscribeParticipants(x.cb);
  await x.until((y, all) => y?.length === 10 && !all, "10");
  assert.equal(x.last[0].user.id, ids[25]);
  await s.loadMore(5);
  await x.until((y, all) => y.length === 15 && !all, "15");
  await s.loadMore(50);
  await x.until((y, all) => y.length === 27 && all, "27");
  assert.deepEqual(x.last.map((p) => p.user.id), [...ids.toReversed(), USER_ID]);
  await cd.participant(ids[3]).delete();
  await x.until((y) => y.length === 26, "one less");
  s.unsubscribe();
  return { gets: sent(USER_ID, from).filter((r) => r.method === "GET" && r.path.endsWith("/participants")).map((r) => r.data) };
});
sub.unsubscribe(); subB.unsubscribe(); subC.unsubscribe();
await t.done();

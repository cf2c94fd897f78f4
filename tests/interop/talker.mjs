// The JavaScript half of the mixed tests: a client that is told by lines of JSON what to do, and says what it sees.
//   in:  {"n": 1, "do": "send", ...}     out: {"n": 1, "result": ...} | {"n": 1, "error": "..."} | {"seen": "messages", "value": ...}
import readline from "node:readline";
import { session, USER_ID } from "./lib.mjs";

const say = (line) => console.log(JSON.stringify(line));
const a = session();
await a.currentUser.createIfNotExists({ name: USER_ID });
const c = a.conversation(process.env.CONVERSATION);
const see = (name, shown) => (s) => say({ seen: name, value: s && shown(s) });
const message = (m) => ({ id: m.id, plaintext: m.plaintext, custom: m.custom, sender: m.sender?.id ?? null, content: m.content, edited: m.editedAt !== null,
  reply: m.referencedMessage?.id ?? null, reactions: m.reactions.map((r) => [r.emoji, r.count, r.currentUserReacted]) });
const watching = {};
const orders = {
  watch() {
    c.subscribe(see("conversation", (s) => ({ subject: s.subject, custom: s.custom, unread: s.unreadMessageCount, isUnread: s.isUnread, access: s.access, everyoneReadUntil: s.everyoneReadUntil, last: s.lastMessage?.id ?? null })));
    c.subscribeMessages(see("messages", (s) => s.map(message)));
    c.subscribeTyping(see("typing", (s) => (s.many ? "many" : s.users.map((u) => u.id))));
    c.subscribeParticipants(see("participants", (s) => s.map((p) => [p.user.id, p.access])));
    a.subscribeConversations(see("list", (s) => s.map((x) => [x.id, x.unreadMessageCount])));
  },
  async send({ params }) { return (await c.send(params)).id; },
  edit: ({ id, params }) => c.message(id).edit(params),
  delete: ({ id }) => c.message(id).delete(),
  react: ({ id, emoji }) => c.message(id).reactions(emoji).add(),
  unreact: ({ id, emoji }) => c.message(id).reactions(emoji).remove(),
  watchReactions({ id, emoji }) { watching[id + emoji] ??= c.message(id).reactions(emoji).subscribe(see("reactions", (s) => s.map((r) => r.user.id))); },
  type: () => c.markAsTyping(),
  read: () => c.markAsRead(),
  unread: () => c.markAsUnread(),
  set: ({ params }) => c.set(params),
  access: ({ user, access }) => c.participant(user).edit({ access }),
};
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  Promise.resolve(order).then((o) => orders[o.do](o)).then((result) => say({ n: order.n, result: result ?? null }), (e) => say({ n: order.n, error: String(e?.message ?? e) }));
}
process.exit(0);

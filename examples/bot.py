"""A bot: where it is spoken to it says that it has seen it, types, and answers with a reply.

    rtflow serve                                          # in another terminal
    python examples/bot.py lunch alice                    # opens "lunch", with alice in it
    rtflow send lunch "bot, where is it?" --user alice    # in a third; in development mode

It watches the list of its conversations: wherever something is said, that one comes first. What was
said while it was away it answers when it comes back, because the server knows up to where it has
read. It may be started before its server, and outlives its restarts; Ctrl-C ends it.
"""

import asyncio
import os
import sys
from contextlib import suppress

import rtflow

SERVER = os.environ.get("RTFLOW_SERVER", "http://localhost:8080")
NAME = "bot"
SPOKEN_TO = f"{NAME},"
MOST = 100  # messages that it reads at once; what is older is not answered


async def reply(conversation: rtflow.ConversationRef, message: rtflow.MessageSnapshot) -> None:
    """Answer one message."""
    assert message.sender is not None
    question = message.plaintext.removeprefix(SPOKEN_TO).strip()
    await conversation.message(message.id).reactions("👀").add()
    await conversation.mark_as_typing()
    answer = rtflow.TextBlock((f"{message.sender.name} asked: {question}",))  # as it is, no markup
    await conversation.send(answer, referenced_message=message.id)
    print(f"{conversation.id}: answered {message.sender.name}: {question}", flush=True)


async def catch_up(conversation: rtflow.ConversationRef, since: int) -> int:
    """Answer what was said to the bot after that time; return when the last of it was said."""
    said = await conversation.messages.window(MOST).get()
    if said is None or not said.items:
        return since
    for message in reversed(said.items):  # the oldest first
        is_of_another = message.sender is not None and message.sender.id != NAME
        is_for_me = is_of_another and message.plaintext.startswith(SPOKEN_TO)
        if message.created_at > since and is_for_me:
            await reply(conversation, message)
    await conversation.mark_as_read()
    return said.items[0].created_at


async def listen(session: rtflow.Session) -> None:
    done = dict[str, int]()  # by conversation: when the last message was sent that is seen to
    async for window in session.conversations.window(MOST):
        for found in window.items:
            since = done.get(found.id, found.read_until)
            if found.last_message is not None and found.last_message_at > since:
                done[found.id] = (
                    found.last_message_at
                )  # also where it may only read, or not any more
                with suppress(rtflow.Forbidden, rtflow.NotFound):
                    done[found.id] = await catch_up(session.conversation(found.id), since)


async def main(conversation_id: str | None = None, *others: str) -> None:
    async with rtflow.Session(SERVER, app_id="demo", user_id=NAME) as session:
        await session.current_user.create_if_not_exists(name="Bot", role="bot")
        if conversation_id is not None:
            conversation = session.conversation(conversation_id)
            await conversation.create_if_not_exists()
            for user_id in others:
                await session.user(user_id).create_if_not_exists(name=user_id)
                await conversation.participant(user_id).create_if_not_exists()
        print("listening", flush=True)
        await listen(session)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        pass
    except rtflow.RtflowError as error:
        sys.exit(f"bot: {error}")

"""`rtflow send`: one message, from the command line."""

import asyncio

from rtflow.cli.client import Caller, connected
from rtflow.cli.failure import misused
from rtflow.cli.output import print_json

__all__ = ["send"]


def send(conversation: str, text: str, /, *, caller: Caller) -> None:
    """Send a message and print its id.

    The user and the conversation are created when they are not there yet.

    Parameters
    ----------
    conversation
        The id of the conversation.
    text
        What to say.
    """
    asyncio.run(send_once(conversation, text, caller))


async def send_once(conversation_id: str, text: str, caller: Caller) -> None:
    async with connected(caller) as session:
        with misused():
            conversation = session.conversation(conversation_id)
        # Look first: a server may forbid clients to create what is there already.
        if await session.current_user.get() is None:
            await session.current_user.create_if_not_exists(name=caller.user)
        if await conversation.get() is None:
            await conversation.create_if_not_exists()
        with misused():
            message = await conversation.send(text)
        print_json({"id": message.id, "conversationId": conversation_id})

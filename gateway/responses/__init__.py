"""OpenAI's Responses: told through chats where a host has none of its own, and kept to be gone on from."""

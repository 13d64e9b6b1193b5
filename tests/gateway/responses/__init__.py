"""Responses told through chats."""

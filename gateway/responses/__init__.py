"""OpenAI's Responses API in the words of chat, and back: for the many models that speak chat completions alone.

Belongs here: what an item, a tool or an event is in the other API's terms. Does not: what a body may hold
(`gateway.requests.responses`), who is asked and what it costs (`gateway.flows.responses`).
Wire format: https://platform.openai.com/docs/api-reference/responses
"""

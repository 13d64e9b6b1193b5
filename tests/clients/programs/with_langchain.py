"""LangChain's chat model, its tools, its structured answers and its embeddings."""

from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.clients.programs.telling import TEXTS, Orders, Weather, failing, get_weather, play


def model(orders: Orders, name: str, *, key: str = "", retries: int = 0) -> Any:
    """The chat model at the gateway."""
    return ChatOpenAI(
        base_url=f"{orders.url}/v1",
        api_key=key or orders.keys["own"],
        model=orders.models.get(name, name),
        max_retries=retries,
        timeout=15,
    )


def chat(orders: Orders) -> Any:
    return model(orders, "chat").invoke("hello").content


def stream(orders: Orders) -> Any:
    return [piece.content for piece in model(orders, "stream").stream("hello") if piece.content]


def tools(orders: Orders) -> Any:
    """The loop that an agent is."""
    weather = tool(get_weather)
    asked = model(orders, "tools").bind_tools([weather])
    messages: list[Any] = [HumanMessage("how is the weather?")]
    while (answer := asked.invoke(messages)).tool_calls:
        results = [
            ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls
        ]
        messages += [answer, *results]
    return answer.content


def schema(orders: Orders) -> Any:
    return model(orders, "schema").with_structured_output(Weather).invoke("hello").model_dump()


def embedding(orders: Orders) -> Any:
    embeddings = OpenAIEmbeddings(
        base_url=f"{orders.url}/v1",
        api_key=orders.keys["own"],
        model=orders.models["embedding"],
        max_retries=0,
        check_embedding_ctx_length=False,  # it would fetch a vocabulary to cut long texts
    )
    return embeddings.embed_documents(TEXTS)


def retry(orders: Orders) -> Any:
    return model(orders, "retry", retries=2).invoke("hello").content


def fail(orders: Orders, key: str, name: str) -> Any:
    return model(orders, name, key=key).invoke("hello").content


if __name__ == "__main__":
    checks = {"chat": chat, "stream": stream, "tools": tools, "schema": schema, "embedding": embedding}
    play(checks | {"retry": retry} | failing(fail))

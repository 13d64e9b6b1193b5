// Vercel's AI SDK with its provider for whoever speaks OpenAI's format.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateText, stepCountIs, streamText, tool } from "ai";

import { City, TEXTS, Weather, failing, getWeather, play, readOrders } from "./telling.mjs";

const orders = await readOrders();
const { models } = orders;

function gateway(key = orders.keys.own) {
  return createOpenAICompatible({
    name: "gateway",
    baseURL: `${orders.url}/v1`,
    apiKey: key,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
}

function asking(name, { key, retries = 0 } = {}) {
  return { model: gateway(key)(name), prompt: "hello", maxRetries: retries };
}

async function chat(name, options) {
  return (await generateText(asking(name, options))).text;
}

async function stream() {
  const pieces = [];
  for await (const piece of streamText(asking(models.stream)).textStream) pieces.push(piece);
  return pieces;
}

async function tools() {
  const weather = tool({
    description: "The weather of a city.",
    inputSchema: City,
    execute: getWeather,
  });
  const answer = await generateText({
    ...asking(models.tools),
    tools: { get_weather: weather },
    stopWhen: stepCountIs(5),
  });
  return answer.text;
}

async function schema() {
  const answer = await generateText({
    ...asking(models.schema),
    output: Output.object({ schema: Weather }),
  });
  return answer.output;
}

async function embedding() {
  const answer = await embedMany({
    model: gateway().embeddingModel(models.embedding),
    values: TEXTS,
    maxRetries: 0,
  });
  return answer.embeddings;
}

await play(orders, {
  chat: () => chat(models.chat),
  stream,
  tools,
  schema,
  embedding,
  retry: () => chat(models.retry, { retries: 2 }),
  ...failing((key, model) => chat(model, { key })),
});

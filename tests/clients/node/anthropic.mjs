// Anthropic's own client for Node.

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";

import { City, HELLO, Weather, failing, getWeather, play, readOrders } from "./telling.mjs";

const orders = await readOrders();
const { models } = orders;

function client({ key = orders.keys.own, retries = 0 } = {}) {
  return new Anthropic({ baseURL: orders.url, apiKey: key, maxRetries: retries, timeout: 15_000 });
}

function asking(model) {
  return { model, max_tokens: 100, messages: HELLO };
}

function textOf(message) {
  return message.content.map((block) => block.text ?? "").join("");
}

async function chat(model, options) {
  return textOf(await client(options).messages.create(asking(model)));
}

async function stream() {
  const pieces = [];
  const events = client().messages.stream(asking(models.stream));
  events.on("text", (piece) => pieces.push(piece));
  await events.finalMessage();
  return pieces;
}

async function tools() {
  const weather = betaZodTool({
    name: "get_weather",
    description: "The weather of a city.",
    inputSchema: City,
    run: getWeather,
  });
  return textOf(await client().beta.messages.toolRunner({ ...asking(models.tools), tools: [weather] }));
}

async function schema() {
  const answer = await client().messages.parse({
    ...asking(models.schema),
    output_config: { format: zodOutputFormat(Weather) },
  });
  return answer.parsed_output;
}

await play(orders, {
  chat: () => chat(models.chat),
  stream,
  tools,
  schema,
  retry: () => chat(models.retry, { retries: 2 }),
  ...failing((key, model) => chat(model, { key })),
});

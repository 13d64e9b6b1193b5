// OpenAI's own client for Node.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { City, HELLO, TEXTS, Weather, failing, getWeather, play, readOrders } from "./telling.mjs";

const orders = await readOrders();
const { models } = orders;

function client({ key = orders.keys.own, retries = 0 } = {}) {
  return new OpenAI({ baseURL: `${orders.url}/v1`, apiKey: key, maxRetries: retries, timeout: 15_000 });
}

async function chat(model, options) {
  const answer = await client(options).chat.completions.create({ model, messages: HELLO });
  return answer.choices[0].message.content;
}

async function stream() {
  const pieces = [];
  const events = await client().chat.completions.create({
    model: models.stream,
    messages: HELLO,
    stream: true,
  });
  for await (const event of events) pieces.push(event.choices[0].delta.content ?? "");
  return pieces.filter(Boolean);
}

function tools() {
  const weather = {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather of a city.",
      parameters: z.toJSONSchema(City),
      parse: JSON.parse,
      function: getWeather,
    },
  };
  const running = client().chat.completions.runTools({
    model: models.tools,
    messages: HELLO,
    tools: [weather],
  });
  return running.finalContent();
}

async function schema() {
  const answer = await client().chat.completions.parse({
    model: models.schema,
    messages: HELLO,
    response_format: zodResponseFormat(Weather, "weather"),
  });
  return answer.choices[0].message.parsed;
}

async function embedding() {
  const answer = await client().embeddings.create({ model: models.embedding, input: TEXTS });
  return answer.data.map((one) => Array.from(one.embedding));
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

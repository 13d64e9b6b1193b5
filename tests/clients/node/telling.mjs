// How a client's program is told what to do, and tells what came of it.

import { z } from "zod";

export const HELLO = [{ role: "user", content: "hello" }];
export const TEXTS = ["one", "two"];
export const Weather = z.object({ city: z.string(), degrees: z.number() });
export const City = z.object({ city: z.string() });
export const getWeather = ({ city }) => `sunny in ${city}`;

// The calls that must fail, made as `call` does with a key and a model.
export function failing(call) {
  return {
    stranger: ({ models }) => call("sk-wrong", models.chat),
    poor: ({ keys, models }) => call(keys.poor, models.chat),
    unknown: ({ keys }) => call(keys.own, "nobody-has-this"),
    too_long: ({ keys, models }) => call(keys.own, models.too_long),
    broken: ({ keys, models }) => call(keys.own, models.broken),
  };
}

// Where the gateway is (`url`), the keys by whose they are, and the models by what happens there.
export async function readOrders() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

// Do them all, one after the other, and write what came of each.
export async function play(orders, checks) {
  const told = {};
  for (const [name, check] of Object.entries(checks)) told[name] = await outcome(check, orders);
  process.stdout.write(JSON.stringify(told));
}

async function outcome(check, orders) {
  try {
    return { said: await check(orders) };
  } catch (error) {
    const status = error.status ?? error.statusCode ?? null;
    return { raised: error.constructor.name, status, told: String(error).slice(0, 2000) };
  }
}

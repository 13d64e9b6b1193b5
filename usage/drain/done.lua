-- Takes lines that are done with out of a shard's journal, and moves the shard's `drained` mark.
-- KEYS: journal, state, poisoned. ARGV: group, how many of the next arguments are what to set aside, those, ids.
-- All or nothing: an acknowledged line that was not deleted would stay forever, a deleted one be waited for.

local journal, state, poisoned = KEYS[1], KEYS[2], KEYS[3]
local group, aside = ARGV[1], tonumber(ARGV[2])
local ids = { unpack(ARGV, 3 + aside) }

local function numbers(id)
  local milliseconds, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(milliseconds), tonumber(sequence)
end

-- Ids begin anew in each millisecond; the highest one of the millisecond before is one that a double can hold.
local function before(id)
  local milliseconds, sequence = numbers(id)
  if sequence > 0 then
    return string.format('%.0f-%.0f', milliseconds, sequence - 1)
  end
  return string.format('%.0f-9007199254740991', milliseconds - 1)
end

local function is_later(id, other)
  local milliseconds, sequence = numbers(id)
  local other_milliseconds, other_sequence = numbers(other)
  if milliseconds == other_milliseconds then
    return sequence > other_sequence
  end
  return milliseconds > other_milliseconds
end

local function after(id)
  local milliseconds, sequence = numbers(id)
  return string.format('%.0f-%.0f', milliseconds, sequence + 1)
end

-- The last id up to which nothing is unread or in some drainer's hands, and the one that everything from there on has.
local function finished()
  for _, found in ipairs(redis.call('XINFO', 'GROUPS', journal)) do
    local known = {}
    for index = 1, #found, 2 do
      known[found[index]] = found[index + 1]
    end
    if known['name'] == group then
      if known['pending'] == 0 then
        return known['last-delivered-id'], after(known['last-delivered-id'])
      end
      local first = redis.call('XPENDING', journal, group)[2]
      return before(first), first
    end
  end
  return '0-0', '0-1'
end

redis.call('XACK', journal, group, unpack(ids))
local mark, rest = finished()

-- A stream loses its beginning at once, and a line from its middle with a search.
if aside == 0 and is_later(rest, ids[#ids]) then
  redis.call('XTRIM', journal, 'MINID', rest)
elseif redis.call('XDEL', journal, unpack(ids)) > 0 and aside > 0 then
  redis.call('XADD', poisoned, '*', unpack(ARGV, 3, 2 + aside))
end

-- A shard without a state was wiped, and has to look like that until its books are rebuilt.
if redis.call('EXISTS', state) == 1 and is_later(mark, redis.call('HGET', state, 'drained') or '0-0') then
  redis.call('HSET', state, 'drained', mark)
end

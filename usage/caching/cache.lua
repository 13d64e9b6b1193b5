-- One tenant's kept answers. KEYS: the tenant's counts. ARGV: what is asked, the time, and what that needs.
-- An answer: its sealed bytes, its label, what it saves, and until when it is good.
-- Beside it: all answers by when their time is over, and the size of each, so that one that Redis has dropped
-- meanwhile can be counted off.

local counts = KEYS[1]
local prefix = string.sub(counts, 1, -2)
local ends, sizes = prefix .. 'ends', prefix .. 'sizes'
local asked, now = ARGV[1], tonumber(ARGV[2])
local AT_ONCE, KEPT_FOR = 200, 2764800000

if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

local function answer_at(name)
  return prefix .. 'a:' .. name
end

local function lead_of(name)
  return prefix .. 'l:' .. name
end

local function drop(name)
  local size = redis.call('HGET', sizes, name)
  redis.call('DEL', answer_at(name))
  redis.call('ZREM', ends, name)
  if size then
    redis.call('HDEL', sizes, name)
    redis.call('HINCRBY', counts, 'bytes', -tonumber(size))
    return 1
  end
  return 0
end

local function drop_old()
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)) do
    drop(name)
  end
end

-- Whether whoever asks is to find the answer: nobody else does, or its own process, or another for too long.
local function take_lead(name, who, milliseconds)
  if milliseconds == 0 then
    return 1
  end
  local key = lead_of(name)
  local found = redis.call('HMGET', key, 'who', 'until')
  if found[1] and found[1] ~= who and tonumber(found[2]) > now then
    return 0
  end
  redis.call('HSET', key, 'who', who, 'until', whole(now + milliseconds))
  redis.call('PEXPIRE', key, milliseconds)
  return 1
end

local function find(name, who, milliseconds)
  local found = redis.call('HMGET', answer_at(name), 'answer', 'until', 'saves')
  if found[1] and tonumber(found[2]) > now then
    redis.call('HINCRBY', counts, 'hits', 1)
    redis.call('HINCRBY', counts, 'saved', found[3])
    return { found[1], 0 }
  end
  local leads = take_lead(name, who, tonumber(milliseconds))
  redis.call('HINCRBY', counts, 'misses', leads) -- whoever waits looks often, and is to make no call
  return { false, leads }
end

local function release(name, who)
  if redis.call('HGET', lead_of(name), 'who') == who then
    redis.call('DEL', lead_of(name))
  end
  return 0
end

local function is_too_much(bytes, number)
  return tonumber(redis.call('HGET', counts, 'bytes') or 0) > bytes
    or (number > 0 and redis.call('ZCARD', ends) > number)
end

local function keep(name, who, answer, label, saves, size, milliseconds, bytes, number)
  drop_old()
  drop(name)
  release(name, who)
  local over = now + tonumber(milliseconds)
  redis.call('HSET', answer_at(name), 'answer', answer, 'label', label, 'saves', saves, 'until', whole(over))
  redis.call('PEXPIRE', answer_at(name), milliseconds)
  redis.call('ZADD', ends, whole(over), name)
  redis.call('HSET', sizes, name, size)
  redis.call('HINCRBY', counts, 'bytes', size)
  while is_too_much(tonumber(bytes), tonumber(number)) do
    drop(redis.call('ZRANGE', ends, 0, 0)[1])
  end
  for _, key in ipairs({ counts, ends, sizes }) do
    redis.call('PEXPIRE', key, KEPT_FOR)
  end
  return 0
end

-- Some names with their labels, from a place on, and the place to go on from.
local function labels(from)
  if from == '0' then
    drop_old()
  end
  local names = redis.call('ZRANGE', ends, from, from + AT_ONCE - 1)
  local told = {}
  for _, name in ipairs(names) do
    table.insert(told, name)
    table.insert(told, redis.call('HGET', answer_at(name), 'label') or '')
  end
  return told
end

local function clear(...)
  local number = 0
  for _, name in ipairs({ ... }) do
    number = number + drop(name)
  end
  return number
end

local function status()
  drop_old()
  local told = redis.call('HMGET', counts, 'bytes', 'hits', 'misses', 'saved')
  for at = 1, 4 do
    told[at] = tonumber(told[at] or 0)
  end
  return { redis.call('ZCARD', ends), told[1], told[2], told[3], told[4] }
end

local doers = {
  find = find,
  release = release,
  keep = keep,
  labels = labels,
  clear = clear,
  status = status,
}

return doers[asked](unpack(ARGV, 3))

-- All that is done at one quota: who gets a place, who waits, who is next. The same as gateway/gate.py and
-- gateway/fairness.py, to which tests hold it; beside that places and waiters have leases here.
-- KEYS: the quota's counters; every other key has the same tag. ARGV: what is to be done, as MessagePack.

local ENTER, LEAVE, WITHDRAW, TEND = 1, 2, 3, 4
local GRANTED, WAITS, REFUSED, FULL, GONE = 1, 2, 3, 4, 5
local REQUESTS, TOKENS, PLACES = 1, 2, 3
local MINUTE, PLACE_FREE_IN = 60000, 1000
local IDLE = 3600000          -- keys of a quota that nobody uses any more go after so long
local RANK = 1099511627776    -- 2^40: arrivals of one rank

local now, rpm, tpm, parallel, lease, waiting_lease, quantum, orders = unpack(cmsgpack.unpack(ARGV[1]))
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local counters_key = KEYS[1]
local prefix = string.sub(counters_key, 1, -9)
local places_key = prefix .. 'places'      -- id by the end of its lease
local granted_key = prefix .. 'granted'    -- what waiters were given and have not fetched: id -> window and tokens
local ring_key = prefix .. 'ring'          -- tenants, the one in front first
local credits_key = prefix .. 'credits'    -- tenant -> tokens
local waiters_key = prefix .. 'waiters'    -- id -> tenant, cost, tokens, channel
local leases_key = prefix .. 'leases'      -- waiters by the end of their lease
local arrivals_key = prefix .. 'arrivals'

local window = math.floor(now / MINUTE)
local requests, tokens, changed = 0, 0, false
local known = redis.call('GET', counters_key)
if known then
  local was, known_requests, known_tokens = string.match(known, '^(%d+) (%d+) (%d+)$')
  if tonumber(was) == window then
    requests, tokens = tonumber(known_requests), tonumber(known_tokens)
  end
end
local held = redis.call('ZCARD', places_key)
local tenants = redis.call('LLEN', ring_key)
local swept = false

local function whole(number)
  return string.format('%.0f', number)
end

local function line_of(tenant)
  return prefix .. 'line:' .. tenant
end

local function need_of(wanted)
  return tpm < 0 and 0 or math.max(1, math.min(wanted, tpm))
end

-- Places whose process is gone, or that were given to a waiter who was.
local function sweep_places()
  swept = true
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', places_key, '-inf', whole(now))) do
    held = held - redis.call('ZREM', places_key, id)
    redis.call('HDEL', granted_key, id)
  end
end

local function lack_of(need)
  if rpm >= 0 and requests >= rpm then
    return REQUESTS
  elseif tpm >= 0 and tokens + need > tpm then
    return TOKENS
  elseif parallel >= 0 and held >= parallel then
    if not swept then
      sweep_places()
    end
    return held >= parallel and PLACES or nil
  end
end

local function admit(id, need, seconds)
  local is_new = redis.call('ZADD', places_key, whole(now + seconds), id)
  if held == 0 then
    redis.call('PEXPIRE', places_key, IDLE)
  end
  held = held + is_new
  requests, tokens, changed = requests + 1, tokens + need, true
end

local function waiter(id)
  local told = redis.call('HGET', waiters_key, id)
  return told and cmsgpack.unpack(told)
end

local function remove(id, tenant)
  local line = line_of(tenant)
  redis.call('ZREM', line, id)
  redis.call('HDEL', waiters_key, id)
  redis.call('ZREM', leases_key, id)
  if redis.call('EXISTS', line) == 0 then
    redis.call('LREM', ring_key, 1, tenant)
    redis.call('HDEL', credits_key, tenant)
    tenants = tenants - 1
  end
end

local function sweep_waiters()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases_key, '-inf', whole(now))) do
    remove(id, waiter(id)[1])
  end
end

local function first_of(tenant)
  local id = redis.call('ZRANGE', line_of(tenant), 0, 0)[1]
  return id, waiter(id)
end

local function credit_of(tenant)
  return tonumber(redis.call('HGET', credits_key, tenant))
end

local function step_until_paid()
  for _ = 1, tenants do
    local tenant = redis.call('LINDEX', ring_key, 0)
    local id, told = first_of(tenant)
    if credit_of(tenant) >= told[2] then
      return id, told
    end
    redis.call('HINCRBY', credits_key, tenant, whole(quantum))
    redis.call('RPUSH', ring_key, redis.call('LPOP', ring_key))
  end
end

local function pay_all()
  local ring, missing = redis.call('LRANGE', ring_key, 0, -1), math.huge
  for _, tenant in ipairs(ring) do
    local _, told = first_of(tenant)
    missing = math.min(missing, told[2] - credit_of(tenant))
  end
  local rounds = math.max(0, math.ceil(missing / quantum))
  for _, tenant in ipairs(ring) do
    redis.call('HINCRBY', credits_key, tenant, whole(rounds * quantum))
  end
end

local function next_waiter()
  local id, told = step_until_paid()
  if not id and tenants > 0 then
    pay_all()
    id, told = step_until_paid()
  end
  return id, told
end

local function let_in()
  if tenants == 0 then
    return
  end
  sweep_waiters()
  while true do
    local id, told = next_waiter()
    if not id then
      return
    end
    local tenant, cost, wanted, channel = unpack(told)
    local need = need_of(wanted)
    if lack_of(need) then
      return
    end
    redis.call('HINCRBY', credits_key, tenant, whole(-cost))
    remove(id, tenant)
    admit(id, need, waiting_lease)
    redis.call('HSET', granted_key, id, window .. ' ' .. whole(need))
    redis.call('PEXPIRE', granted_key, IDLE)
    redis.call('PUBLISH', channel, id .. ' ' .. window .. ' ' .. whole(need))
  end
end

local function stand_in_line(id, tenant, rank, cost, wanted, channel)
  local line = line_of(tenant)
  if redis.call('EXISTS', line) == 0 then
    redis.call('RPUSH', ring_key, tenant)
    redis.call('HSET', credits_key, tenant, whole(quantum))
    tenants = tenants + 1
  end
  redis.call('ZADD', line, whole(redis.call('INCR', arrivals_key) - rank * RANK), id)
  redis.call('HSET', waiters_key, id, cmsgpack.pack({ tenant, cost, wanted, channel }))
  redis.call('ZADD', leases_key, whole(now + waiting_lease), id)
  for _, key in ipairs({ line, ring_key, credits_key, waiters_key, leases_key, arrivals_key }) do
    redis.call('PEXPIRE', key, 2 * IDLE)
  end
  return redis.call('ZRANK', line, id) + 1
end

local function fetch(id)
  local told = redis.call('HGET', granted_key, id)
  if not told then
    return nil
  end
  local at, need = string.match(told, '^(%d+) (%d+)$')
  return { GRANTED, tonumber(at), tonumber(need) }
end

-- What a waiter was given, and the full lease, since its process asks.
local function claim(id)
  local given = fetch(id)
  if given then
    redis.call('ZADD', places_key, 'XX', whole(now + lease), id)
    redis.call('HDEL', granted_key, id)
  end
  return given
end

local function enter(id, tenant, rank, cost, wanted, wait, most_waiting, channel)
  let_in()
  local need = need_of(wanted)
  local lack = lack_of(need)
  if redis.call('ZSCORE', places_key, id) then
    return claim(id) or { GRANTED, window, need }
  elseif not lack and tenants == 0 then
    admit(id, need, lease)
    return { GRANTED, window, need }
  end
  local retry = (lack == REQUESTS or lack == TOKENS) and (window + 1) * MINUTE - now or PLACE_FREE_IN
  local waits = redis.call('ZRANK', line_of(tenant), id)
  if waits then
    return { WAITS, waits + 1 }
  elseif wait <= 0 or (lack == REQUESTS and wait < retry) then
    return { REFUSED, retry }
  elseif redis.call('ZCARD', line_of(tenant)) >= most_waiting then
    return { FULL, retry }
  end
  return { WAITS, stand_in_line(id, tenant, rank, cost, wanted, channel) }
end

-- A window below 0: whoever asks has not heard whether it was let in, and if so, when.
local function leave(id, counted_in, need, used, is_unused)
  if tenants > 0 then
    local told = waiter(id)
    if told then
      remove(id, told[1])
    end
  end
  if counted_in < 0 then
    local given = fetch(id)
    counted_in, need = given and given[2] or window, given and given[3] or need_of(need)
  end
  if redis.call('ZREM', places_key, id) == 1 then
    held = held - 1
    redis.call('HDEL', granted_key, id)
    if counted_in == window then
      local more = tpm >= 0 and used - need or 0
      changed = changed or is_unused or more ~= 0
      requests = math.max(0, requests - (is_unused and 1 or 0))
      tokens = math.max(0, tokens + more)
    end
  end
  let_in()
  return {}
end

local function withdraw(id, wanted)
  local told = waiter(id)
  if told then
    remove(id, told[1])
  end
  local given = claim(id)
  let_in()
  if given then
    return given
  end
  local lack = lack_of(need_of(wanted))
  return { GONE, (lack == REQUESTS or lack == TOKENS) and (window + 1) * MINUTE - now or PLACE_FREE_IN }
end

-- What became of each that waits, and a new lease for all. Places that are not known any more come back.
local function tend(waiting, taken)
  for _, id in ipairs(taken) do
    held = held + redis.call('ZADD', places_key, whole(now + lease), id)
    redis.call('HDEL', granted_key, id)
  end
  if #taken > 0 then
    redis.call('PEXPIRE', places_key, IDLE)
  end
  for _, id in ipairs(waiting) do
    redis.call('ZADD', leases_key, 'XX', whole(now + waiting_lease), id)
  end
  sweep_places()
  let_in()
  local fates = {}
  for at, id in ipairs(waiting) do
    fates[at] = claim(id) or { redis.call('HEXISTS', waiters_key, id) == 1 and WAITS or GONE }
  end
  return fates
end

local doers = { [ENTER] = enter, [LEAVE] = leave, [WITHDRAW] = withdraw, [TEND] = tend }
local replies = {}
for at, order in ipairs(orders) do
  replies[at] = doers[order[1]](unpack(order, 2))
end
if changed then
  redis.call('SET', counters_key, whole(window) .. ' ' .. whole(requests) .. ' ' .. whole(tokens), 'PX', 2 * MINUTE)
end
return { held, requests, tokens, (window + 1) * MINUTE - now, replies }

-- The third part of the script: holds, and what is remembered of calls.

local REQUESTS, TOKENS, NANO = 1, 2, 4
local SETTLED_FOR, SWEPT_FOR = 600000, 86400000
local SETTLED = '1'

local leases_key, journal_key = prefix .. 'leases', prefix .. 'journal'
local last = ''

local function hold_key(id)
  return prefix .. 'h:' .. id
end

local function done_key(id)
  return prefix .. 'd:' .. id
end

-- A hold: { amounts, shares, line, the line's charge, its attempts }.
-- A call that is done: SETTLED, or swept: { charge, tokens, attempts, shares, when that is forgotten }.
local function find(id)
  local found = redis.call('MGET', hold_key(id), done_key(id))
  local held, done = found[1] and cmsgpack.unpack(found[1]), found[2]
  if done and done ~= SETTLED then
    done = cmsgpack.unpack(done)
    done = done[5] >= now and done
  end
  return held, done
end

local function keep(id, held)
  redis.call('SET', hold_key(id), cmsgpack.pack(held))
end

local function lease(id)
  redis.call('ZADD', leases_key, whole(now + lease_ms), id)
end

local function journal(line)
  last = redis.call('XADD', journal_key, '*', field, line)
end

local function remember_settled(id)
  redis.call('SET', done_key(id), SETTLED, 'PX', SETTLED_FOR)
end

-- Whoever repeats a settlement learns how far the journal must be drained for its line to be in the ledger.
local function tell_newest_line()
  if last == '' then
    local newest = redis.call('XREVRANGE', journal_key, '+', '-', 'COUNT', 1)[1]
    last = newest and newest[1] or '0-0'
  end
end

local function close(id, held, spent)
  for _, share in ipairs(held[2]) do
    local counter, unit = seated(share), share[4]
    if counter then
      add(counter, -held[1][unit], spent[unit])
    end
  end
  redis.call('DEL', hold_key(id))
  redis.call('ZREM', leases_key, id)
end

local function open(id, amounts, places, line, charge, attempts)
  local shares = {}
  for _, place in ipairs(places) do
    local account, counter = place.account, place.counter
    add(counter, amounts[account.unit], 0)
    shares[#shares + 1] = { account.name, counter.start, counter.ends, account.unit, account.length > 0 and 1 or 0 }
  end
  keep(id, { amounts, shares, line, charge, attempts })
  lease(id)
end

local function raise(id, held, amounts, line, charge, attempts)
  local raised = {}
  for unit, amount in ipairs(held[1]) do
    raised[unit] = math.max(amount, amounts[unit])
  end
  for _, share in ipairs(held[2]) do
    local before = held[1][share[4]]
    add(seated_again(share, before), raised[share[4]] - before, 0)
  end
  if charge < held[4] then
    line, charge, attempts = held[3], held[4], held[5]
  end
  keep(id, { raised, held[2], line, charge, attempts })
end

local function sweep_one(id, held)
  local amounts = held[1]
  close(id, held, { amounts[REQUESTS], amounts[TOKENS], 0, amounts[NANO] })
  journal(held[3])
  local done = { held[4], amounts[TOKENS], held[5], held[2], now + SWEPT_FOR }
  redis.call('SET', done_key(id), cmsgpack.pack(done), 'PX', SWEPT_FOR)
end

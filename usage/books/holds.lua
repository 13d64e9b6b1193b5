-- The third part of the script: holds, and what is remembered of calls.

local REQUESTS, TOKENS, NANO = 1, 2, 4
local SETTLED_FOR, SWEPT_FOR = 600000, 86400000
local UNDRAINED_FOR = SETTLED_FOR - 60000
local SETTLED = '1'

local leases_key, journal_key = prefix .. 'leases', prefix .. 'journal'
local last = ''

local function hold_key(id)
  return prefix .. 'h:' .. id
end

local function done_key(id)
  return prefix .. 'd:' .. id
end

-- A hold: { amounts, shares, line, the line's charge, its attempts }. Shares are packed by themselves, since most
-- holds have the same: { account, start, end, unit, whether the window is a rate's } each.
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

local lease_end = whole(now + lease_ms)

local function lease(id)
  redis.call('ZADD', leases_key, lease_end, id)
end

local function journal(line)
  last = redis.call('XADD', journal_key, '*', field, line)
end

local function remember_settled(id)
  redis.call('SET', done_key(id), SETTLED, 'PX', SETTLED_FOR)
end

-- Whether the journal has lines that are older than the marks of their calls may be: such a call is neither known
-- here nor in the ledger. Lines and marks go by the clock of Redis, whatever `now` is.
local function outlives_marks()
  local oldest = redis.call('XRANGE', journal_key, '-', '+', 'COUNT', 1)[1]
  return oldest and tonumber(string.match(oldest[1], '^%d+')) < redis.call('TIME')[1] * 1000 - UNDRAINED_FOR
end

-- Whoever repeats a settlement learns how far the journal must be drained for its line to be in the ledger.
local function tell_newest_line()
  if last == '' then
    local newest = redis.call('XREVRANGE', journal_key, '+', '-', 'COUNT', 1)[1]
    last = newest and newest[1] or '0-0'
  end
end

-- Where holds with these shares sit, as far as that is known: pairs of counter and unit.
local seats, seats_at = {}, 0

local function seats_of(shares)
  if seats_at ~= turns then
    seats, seats_at = {}, turns
  end
  local found = seats[shares]
  if not found then
    found = {}
    for _, share in ipairs(cmsgpack.unpack(shares)) do
      local counter = seated(share)
      if counter then
        found[#found + 1] = { counter, share[4] }
      end
    end
    seats[shares] = found
  end
  return found
end

local function close(id, held, spent)
  local amounts = held[1]
  for _, seat in ipairs(seats_of(held[2])) do
    local unit = seat[2]
    add(seat[1], -amounts[unit], spent[unit])
  end
  redis.call('DEL', hold_key(id))
  redis.call('ZREM', leases_key, id)
end

local function shares_of(set)
  if set.turns ~= turns then
    local shares = {}
    for at, index in ipairs(set) do
      local account = accounts[index]
      local counter = account.counter
      shares[at] = { account.name, counter.start, counter.ends, account.unit, account.length > 0 and 1 or 0 }
    end
    set.shares, set.turns = cmsgpack.pack(shares), turns
  end
  return set.shares
end

local function open(id, amounts, set, line, charge, attempts)
  for _, index in ipairs(set) do
    local account = accounts[index]
    add(account.counter, amounts[account.unit], 0)
  end
  keep(id, { amounts, shares_of(set), line, charge, attempts })
  lease(id)
end

local function raise(id, held, amounts, line, charge, attempts)
  local raised = {}
  for unit, amount in ipairs(held[1]) do
    raised[unit] = math.max(amount, amounts[unit])
  end
  for _, share in ipairs(cmsgpack.unpack(held[2])) do
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

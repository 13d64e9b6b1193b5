-- The third part of the script: holds, and what is remembered of calls. They are read in few commands before the
-- first order, and written in few after the last.

local holds_key, lines_key = prefix .. 'holds', prefix .. 'lines'
local leases_key, journal_key = prefix .. 'leases', prefix .. 'journal'

local holds, changed, lines = {}, {}, {}
local leased, renewed, released = {}, {}, {}
local marks, marked = {}, {}

-- Marks of calls that are done share a key with those whose ids, which begin with a time, are of the same 4 seconds.
local function done_key(id)
  return prefix .. 'd:' .. string.sub(id, 1, 9)
end

-- Reads holds, and the marks of those that are not there: no call has both.
local function read_calls(ids_read)
  local unknown = {}
  for first = 1, #ids_read, AT_ONCE do
    local found = redis.call('HMGET', holds_key, unpack(ids_read, first, math.min(first + AT_ONCE - 1, #ids_read)))
    for at = 1, #found do
      local id = ids_read[first + at - 1]
      holds[id] = found[at]
      if not found[at] then
        local key = done_key(id)
        local ids = unknown[key]
        if ids and #ids < AT_ONCE then
          ids[#ids + 1] = id
        elseif not ids then
          unknown[key] = { id }
        end
      end
    end
  end
  for key, ids in pairs(unknown) do
    local found = redis.call('HMGET', key, unpack(ids))
    for at = 1, #found do
      marks[ids[at]] = found[at]
    end
  end
end

local function hold_of(id)
  local held = holds[id]
  if held == nil then
    held = redis.call('HGET', holds_key, id)
    holds[id] = held
  end
  return held
end

-- A call that is done: SETTLED, or swept: { charge, tokens, attempts, shares, when that is forgotten }.
local function done_of(id)
  local done = marks[id]
  if done == nil then
    done = redis.call('HGET', done_key(id), id)
    marks[id] = done
  end
  if done and done ~= SETTLED then
    done = cmsgpack.unpack(done)
    done = done[5] >= now and done
  end
  return done
end

local function find(id)
  local held = hold_of(id)
  return held, not held and done_of(id)
end

local lease_end = whole(now + lease_ms)

local function lease(id)
  leased[#leased + 1] = lease_end
  leased[#leased + 1] = id
end

local function mark(id, done, lasting)
  marks[id] = done
  local key = done_key(id)
  local news = marked[key]
  if not news then
    news = { values = {}, lasting = 0 }
    marked[key] = news
  end
  local values = news.values
  values[#values + 1] = id
  values[#values + 1] = done
  news.lasting = math.max(news.lasting, lasting)
end

local function remember_settled(id)
  mark(id, SETTLED, SETTLED_FOR)
end

local function write_leases()
  write_all('ZADD', leases_key, leased)
  for at = 1, #renewed do
    redis.call('ZADD', leases_key, 'XX', lease_end, renewed[at])
  end
  write_all('ZREM', leases_key, released)
end

local function write_calls()
  local opened, lines_opened, closed = {}, {}, {}
  for id in pairs(changed) do
    local held, line = holds[id], lines[id]
    if not held then
      closed[#closed + 1] = id
    else
      opened[#opened + 1] = id
      opened[#opened + 1] = held
    end
    if held and line then
      lines_opened[#lines_opened + 1] = id
      lines_opened[#lines_opened + 1] = line
    end
  end
  write_all('HSET', holds_key, opened)
  write_all('HSET', lines_key, lines_opened)
  write_all('HDEL', holds_key, closed)
  write_all('HDEL', lines_key, closed)
  for key, news in pairs(marked) do
    write_all('HSET', key, news.values)
    if redis.call('PTTL', key) < news.lasting then
      redis.call('PEXPIRE', key, whole(news.lasting + SPARE))
    end
  end
end

local function journal(line)
  last = redis.call('XADD', journal_key, '*', field, line)
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

local function amounts_of(held)
  local requests, tokens, places, nano = struct.unpack(HELD, held, HELD_AT)
  return { requests, tokens, places, nano }
end

local function read_shares(packed)
  local shares, at = {}, 1
  while at <= #packed do
    local unit, is_rate, start, ends, name, after = struct.unpack(SHARE, packed, at)
    shares[#shares + 1] = { name = name, start = start, ends = ends, unit = unit, is_rate = is_rate }
    at = after
  end
  return shares
end

-- Where holds with these shares sit, as far as that is known: a counter, its unit, the next counter and so on.
local seats, seats_at = {}, 0

local function forget_seats()
  if seats_at ~= turns then
    seats, seats_at = {}, turns
  end
end

local function seats_of(packed)
  forget_seats()
  local found = seats[packed]
  if not found then
    found = {}
    for _, share in ipairs(read_shares(packed)) do
      local counter = seated(share.name, share.start, share.unit, share.is_rate)
      if counter then
        found[#found + 1] = counter
        found[#found + 1] = share.unit
      end
    end
    seats[packed] = found
  end
  return found
end

local function add_to(sits, held, spent)
  for at = 1, #sits, 2 do
    local counter, unit = sits[at], sits[at + 1]
    counter.held = counter.held + held[unit]
    counter.spent = counter.spent + spent[unit]
    counter.is_dirty = true
  end
end

-- Most holds have the shares of others: how these are packed, and where they sit, is worked out once a batch.
local function share_out(accounts, set)
  if set.turns == turns then
    return
  end
  local shares, sits = {}, {}
  for at = 1, #set do
    local account = accounts[set[at]]
    local counter, name = account.counter, account.name
    local is_rate = account.length > 0 and 1 or 0
    shares[at] = struct.pack(SHARE, account.unit, is_rate, counter.start, counter.ends, #name, name)
    sits[2 * at - 1], sits[2 * at] = counter, account.unit
  end
  local packed = table.concat(shares)
  forget_seats()
  seats[packed] = sits
  set.shares, set.seats, set.turns = packed, sits, turns
end

local NOTHING = { 0, 0, 0, 0 }

local function close(id, held, tokens_spent, nano_spent)
  local requests, tokens, places, nano = struct.unpack(HELD, held, HELD_AT)
  local sits = seats_of(string.sub(held, SHARES_AT))
  add_to(sits, { -requests, -tokens, -places, -nano }, { requests, tokens_spent, 0, nano_spent })
  holds[id], changed[id] = false, true
  released[#released + 1] = id
end

local function open(id, order, amounts, set, line)
  add_to(set.seats, amounts, NOTHING)
  holds[id], changed[id], lines[id] = order .. set.shares, true, line
  lease(id)
end

local function raise(id, held, amounts, line, charge, attempts)
  local before, raised = amounts_of(held), {}
  for unit, amount in ipairs(before) do
    raised[unit] = math.max(amount, amounts[unit])
  end
  local shares = string.sub(held, SHARES_AT)
  for _, share in ipairs(read_shares(shares)) do
    local was = before[share.unit]
    add(seated_again(share, was), raised[share.unit] - was, 0)
  end
  local _, _, _, _, old_charge, old_attempts = struct.unpack(HELD, held, HELD_AT)
  if charge < old_charge then
    charge, attempts = old_charge, old_attempts
  else
    lines[id] = line
  end
  local requests, tokens, places, nano = unpack(raised)
  local amounts_raised = struct.pack(HELD, requests, tokens, places, nano, charge, attempts)
  holds[id] = string.sub(held, 1, HELD_AT - 1) .. amounts_raised .. string.sub(held, HELD_AT + #amounts_raised)
  changed[id] = true
end

local function sweep_one(id, held)
  local amounts = amounts_of(held)
  local _, _, _, _, charge, attempts = struct.unpack(HELD, held, HELD_AT)
  close(id, held, amounts[TOKENS], amounts[NANO])
  journal(lines[id] or redis.call('HGET', lines_key, id))
  local done = { charge, amounts[TOKENS], attempts, string.sub(held, SHARES_AT), now + SWEPT_FOR }
  mark(id, cmsgpack.pack(done), SWEPT_FOR)
end

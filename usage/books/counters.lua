-- The second part of the script: counters, read once and written at the end.

local TURNED_FOR, ENDLESS = 691200000, 9007199254740992
local CONCURRENCY = 3
local counters = {}
local turns = 0

local function counter_at(key)
  local counter = counters[key]
  if not counter then
    local found = redis.call('HMGET', key, 'start', 'end', 'spent', 'held', 'cooldown')
    counter = {
      start = found[1] and tonumber(found[1]),
      ends = tonumber(found[2] or 0),
      spent = tonumber(found[3] or 0),
      held = tonumber(found[4] or 0),
      cooldown = tonumber(found[5] or 0),
    }
    counters[key] = counter
  end
  return counter
end

local function current(name, unit)
  local counter = counter_at(prefix .. 'a:' .. name)
  counter.is_places = unit == CONCURRENCY
  return counter
end

local function turned_key(name, start)
  return prefix .. 'o:' .. name .. ':' .. whole(start)
end

local function add(counter, held, spent)
  counter.held = counter.held + held
  counter.spent = counter.spent + spent
  counter.is_dirty = true
end

-- The counter that a hold sits on: { account, start, end, unit, whether the window is a rate's }.
local function seated(share)
  local counter = current(share[1], share[4])
  if counter.start == share[2] then
    return counter
  end
  counter = counter_at(turned_key(share[1], share[2]))
  counter.is_turned, counter.is_rate = true, share[5] == 1
  return counter.start and counter
end

-- The same of a hold whose window was forgotten meanwhile: nothing but what it holds is known.
local function seated_again(share, held)
  local counter = seated(share)
  if not counter then
    counter = counter_at(turned_key(share[1], share[2]))
    counter.start, counter.ends, counter.held, counter.is_moved = share[2], share[3], held, true
    turns = turns + 1
  end
  return counter
end

local function window_of(account)
  if account.length > 0 then
    return now, now + account.length
  elseif now >= account.ends and account.next > account.ends then
    return account.ends, account.next
  end
  return account.start, account.ends
end

local function set_expiry(account, counter)
  counter.is_dirty, counter.is_moved = true, true
  if counter.ends < ENDLESS then
    local grace = account.length > 0 and 10 * lease_ms or TURNED_FOR
    counter.expiry = math.max(counter.ends, counter.cooldown, now) - now + grace
  end
end

local function put_away(account, counter)
  counters[turned_key(account.name, counter.start)] = {
    start = counter.start,
    ends = counter.ends,
    spent = counter.spent,
    held = counter.held,
    cooldown = 0,
    is_turned = true,
    is_rate = account.length > 0,
    is_dirty = true,
    is_moved = true,
  }
end

-- Begins the window that this call opens, or that it is the first to fall in.
local function turn(account, counter)
  turns = turns + 1
  local start, ends = window_of(account)
  if counter.start ~= start then
    if counter.start then
      put_away(account, counter)
    end
    counter.start, counter.spent, counter.held = start, 0, 0
  end
  counter.ends = ends
  set_expiry(account, counter)
end

-- Where an account's amounts are counted now.
local function counter_of(account)
  local counter = account.counter
  if not counter then
    counter = current(account.name, account.unit)
    account.counter = counter
  end
  if not counter.start or counter.ends <= now then
    turn(account, counter)
  end
  return counter
end

local function cool_down(account, counter)
  counter.cooldown = now + account.cooldown
  counter.start = counter.start or 0
  set_expiry(account, counter)
end

local function write(key, counter)
  local is_over = counter.is_turned and counter.is_rate or counter.is_places and counter.cooldown <= now
  if is_over and counter.held == 0 then
    redis.call('DEL', key)
    return
  end
  redis.call('HSET', key, 'spent', whole(counter.spent), 'held', whole(counter.held))
  if counter.is_moved then
    redis.call(
      'HSET', key, 'start', whole(counter.start), 'end', whole(counter.ends), 'cooldown', whole(counter.cooldown)
    )
  end
  local expiry = counter.is_turned and TURNED_FOR or counter.expiry
  if expiry then
    redis.call('PEXPIRE', key, whole(expiry))
  end
end

local function write_counters()
  for key, counter in pairs(counters) do
    if counter.is_dirty then
      write(key, counter)
    end
  end
end

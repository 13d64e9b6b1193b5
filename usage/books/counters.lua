-- The second part of the script: accounts and their counters, read once and written at the end.

local counters = {}
local turns = 0

local function account_key(name)
  return prefix .. 'a:' .. name
end

local function take_counter(key, found)
  local start, ends, spent, held, cooldown = nil, 0, 0, 0, 0
  if found then
    start, ends, spent, held, cooldown = struct.unpack(COUNTER, found)
  end
  local counter = {
    start = start,
    ends = ends,
    spent = spent,
    held = held,
    cooldown = cooldown,
    is_dirty = false,
    is_moved = false,
    is_places = false,
  }
  counters[key] = counter
  return counter
end

local function counter_at(key)
  return counters[key] or take_counter(key, redis.call('GET', key))
end

local function current(name, unit)
  local counter = counter_at(account_key(name))
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

-- The counter that a hold sits on, by account, start, unit, and whether the window is a rate's.
local function seated(name, start, unit, is_rate)
  local counter = current(name, unit)
  if counter.start == start then
    return counter
  end
  counter = counter_at(turned_key(name, start))
  counter.is_turned, counter.is_rate = true, is_rate == 1
  return counter.start and counter
end

-- The same of a share of a hold whose window was forgotten meanwhile: nothing but what it holds is known.
local function seated_again(share, held)
  local counter = seated(share.name, share.start, share.unit, share.is_rate)
  if not counter then
    counter = counter_at(turned_key(share.name, share.start))
    counter.start, counter.ends, counter.held, counter.is_moved = share.start, share.ends, held, true
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
  local packed =
    struct.pack(COUNTER, counter.start, counter.ends, counter.spent, counter.held, counter.cooldown)
  local expiry = counter.is_turned and TURNED_FOR or counter.expiry
  if expiry then
    redis.call('SET', key, packed, 'PX', whole(expiry))
  else
    redis.call('SETRANGE', key, '0', packed) -- unlike SET it leaves the expiry as it is
  end
end

local function write_counters()
  for key, counter in pairs(counters) do
    if counter.is_dirty then
      write(key, counter)
    end
  end
end

local function read_account(name, rows, index, key)
  local at = (index - 1) * ACCOUNT_SIZE + 1
  local unit, is_hard, limit, cooldown, length, start, ends, next = struct.unpack(ACCOUNT, rows, at)
  local counter = counters[key]
  counter.is_places = unit == CONCURRENCY
  return {
    name = name,
    unit = unit,
    limit = limit,
    is_hard = is_hard == 1,
    cooldown = cooldown,
    length = length,
    start = start,
    ends = ends,
    next = next,
    counter = counter,
  }
end

local function read_accounts()
  local accounts, keys, rows = {}, {}, ARGV[NAMES_AT]
  for index = 1, account_count do
    keys[index] = account_key(ARGV[NAMES_AT + index])
  end
  for first = 1, account_count, AT_ONCE do
    local found = redis.call('MGET', unpack(keys, first, math.min(first + AT_ONCE - 1, account_count)))
    for at = 1, #found do
      local key = keys[first + at - 1]
      if not counters[key] then
        take_counter(key, found[at])
      end
    end
  end
  for index = 1, account_count do
    accounts[index] = read_account(ARGV[NAMES_AT + index], rows, index, keys[index])
  end
  return accounts
end

-- Accounts that orders name together, by their numbers; `rates` are those of requests and of tokens.
local function read_sets(accounts)
  local sets = {}
  for number = 1, set_count do
    local packed = ARGV[NAMES_AT + account_count + number]
    local size = #packed / 4
    local set = { struct.unpack('<' .. string.rep('I', size), packed) }
    set[size + 1] = nil -- where the next value would begin
    local rates = { {}, {} }
    for at = 1, size do
      local account = accounts[set[at]]
      if account.unit <= TOKENS then
        table.insert(rates[account.unit], at)
      end
    end
    set.rates = rates
    sets[number] = set
  end
  return sets
end

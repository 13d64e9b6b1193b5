-- The last part of the script: orders, one after the other.

local GRANTED, REFUSED, SWEPT, UNKNOWN, AWAY, MOVED, CLAIMED = 1, 2, 3, 4, 5, 6, 7
local PLACE_FREE_IN = 1000
local backlog

local function is_full()
  backlog = backlog or redis.call('XLEN', journal_key)
  return backlog >= backlog_at_most
end

-- Why a hard account does not bear more, as a verdict; nothing if it does.
local function refusal_of(account, index, counter, more, held)
  local cooling = account.counter or current(account.name, account.unit)
  if status == 'rebuilding' and more > 0 then
    return { AWAY }
  elseif cooling.cooldown > now and not held then
    return { REFUSED, index, cooling.cooldown - now, 0 }
  end
  local left = math.max(account.limit - counter.spent - counter.held, 0)
  if more <= left then
    return nil
  end
  if account.cooldown > 0 then
    cool_down(account, cooling)
  end
  local wait = account.unit == CONCURRENCY and PLACE_FREE_IN or counter.ends - now
  return { REFUSED, index, math.max(wait, account.cooldown), left }
end

-- Where the amounts of a new hold would sit, or why they may not.
local function find_places(set, amounts, is_again)
  local places = {}
  for at, index in ipairs(set) do
    local account = accounts[index]
    local counter = counter_of(account)
    local refusal = account.is_hard and not is_again and refusal_of(account, index, counter, amounts[account.unit])
    if refusal then
      return nil, refusal
    end
    places[at] = counter
  end
  return places
end

-- The same of a hold that asks for more. Who had them before may have them again.
local function find_places_again(set, amounts, held, is_again)
  local sits, places = {}, {}
  for _, share in ipairs(cmsgpack.unpack(held[2])) do
    sits[share[1]] = share
  end
  for at, index in ipairs(set) do
    local account = accounts[index]
    local share, before = sits[account.name], held[1][account.unit]
    local counter = share and seated_again(share, before) or counter_of(account)
    local more = amounts[account.unit] - before
    local refusal = account.is_hard and not is_again and refusal_of(account, index, counter, more, held)
    if refusal then
      return nil, refusal
    end
    places[at] = counter
  end
  return places
end

-- The tightest quota of requests and of tokens: account, what remains, when it is whole again.
local function rates_of(set, places)
  local tightest, verdict = {}, { GRANTED }
  for at, counter in ipairs(places) do
    local account = accounts[set[at]]
    local unit = account.unit
    if unit <= TOKENS then
      local remaining = account.limit - counter.spent - counter.held
      local place = tightest[unit]
      if not place then
        place = #verdict
        tightest[unit] = place
      end
      if not verdict[place + 1] or remaining < verdict[place + 2] then
        verdict[place + 1], verdict[place + 2], verdict[place + 3] = set[at], remaining, counter.ends - now
      end
    end
  end
  for at = 3, #verdict, 3 do
    verdict[at] = math.max(verdict[at], 0)
  end
  return verdict
end

-- Why a hold is not even looked at, as a verdict; nothing if it is.
local function answer_at_door(held, done, first, revision)
  if done then
    return done ~= SETTLED and first and { REFUSED, first, PLACE_FREE_IN, 0 } or { GRANTED }
  elseif held then
    return nil
  elseif is_outdated(revision) then
    return { MOVED, newest_revision }
  end
  return is_full() and { AWAY } or nil
end

local function admit(order)
  local id, amounts, number, line, charge, attempts, revision, is_again, claim, body = unpack(order, 2)
  local set = sets[number]
  local held, done = find(id)
  local claimed = claim and not (held or done or is_again) and judge_claim(claim, body, id)
  if claimed then
    return { CLAIMED, claimed }
  end
  local answer = (done or not is_again) and answer_at_door(held, done, set[1], revision)
  if answer then
    return answer
  end
  local places, refusal
  if held then
    places, refusal = find_places_again(set, amounts, held, is_again)
  else
    places, refusal = find_places(set, amounts, is_again)
  end
  if refusal then
    return refusal
  elseif held then
    raise(id, held, amounts, ARGV[line], charge, attempts)
  else
    open(id, amounts, set, ARGV[line], charge, attempts)
  end
  if is_again then
    lease(id)
  end
  if claim and not held and not (is_again and judge_claim(claim, body, id)) then
    put_claim(claim, body, id)
  end
  return rates_of(set, places)
end

local function renew(order)
  redis.call('ZADD', leases_key, 'XX', whole(now + lease_ms), order[2])
  return {}
end

local function spend(set, spent)
  for _, index in ipairs(set) do
    local account = accounts[index]
    add(counter_of(account), 0, spent[account.unit])
  end
end

-- Without a hold it takes accounts and what to spend of each unit, in the windows of now. The first try comes
-- without them: they cost, and what no mark tells of may be in the ledger, where whoever asks has to look first.
local function settle(order)
  local id, tokens, nano, line, gives_back, number, uncovered, claim, body, answer, is_free = unpack(order, 2)
  local held, done = find(id)
  if done == SETTLED then
    tell_newest_line()
    return {}
  elseif done then
    return { SWEPT, done[1], done[2], done[3] }
  elseif not (held or gives_back or number) then
    return outlives_marks() and { AWAY } or { UNKNOWN }
  end
  if claim then
    close_claim(claim, body, id, answer, is_free)
  end
  if held then
    close(id, held, { held[1][REQUESTS], tokens, 0, nano })
  elseif gives_back then
    remember_settled(id) -- a hold that is still on its way comes too late
    return {}
  else
    spend(sets[number], uncovered)
  end
  journal(ARGV[line])
  remember_settled(id)
  return {}
end

-- A correction belongs to the windows of its call: given back in another, it could be spent twice.
local function correct(order)
  local id, tokens, nano, line, claim, body, answer, is_free = unpack(order, 2)
  local _, done = find(id)
  if done == SETTLED then
    tell_newest_line()
    return {}
  elseif not done then
    return { UNKNOWN }
  end
  if claim then
    close_claim(claim, body, id, answer, is_free)
  end
  local difference = { 0, tokens, 0, nano }
  for _, seat in ipairs(seats_of(done[4])) do
    add(seat[1], 0, difference[seat[2]])
  end
  journal(ARGV[line])
  remember_settled(id)
  return {}
end

-- What holds that nobody settled had set aside is spent; only their places are free again.
-- While the shard is rebuilt, whoever lives has yet to say so.
local function sweep(order)
  local over = {}
  if status == 'ready' then
    over = redis.call('ZRANGEBYSCORE', leases_key, '-inf', whole(now), 'LIMIT', 0, order[2])
  end
  for _, id in ipairs(over) do
    local held = find(id)
    if held then
      sweep_one(id, held)
    else
      redis.call('ZREM', leases_key, id)
    end
  end
  return { #over }
end

local carriers = { admit, renew, settle, correct, sweep }

for index, row in ipairs(accounts) do
  local name, unit, limit, is_hard, cooldown, length, start, ends, next = unpack(row)
  accounts[index] = {
    name = name,
    unit = unit,
    limit = limit,
    is_hard = is_hard,
    cooldown = cooldown,
    length = length,
    start = start,
    ends = ends,
    next = next,
  }
end

local verdicts = {}
look_for_loss()
stamp()
if status ~= 'lost' then
  for index, order in ipairs(orders) do
    verdicts[index] = carriers[order[1]](order)
  end
  write_counters()
end
return cmsgpack.pack({ status, seq, at, now, drained, last, loss, tonumber(sums), verdicts })

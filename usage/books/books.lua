-- Orders, one after the other: the last part of what carries a batch out, whose verdicts it returns.

local accounts, sets
local orders_at = NAMES_AT + account_count + set_count
local place = orders_at + order_count
local backlog

-- The next of what orders brought along.
local function take()
  place = place + 1
  return ARGV[place]
end

-- Holds that came with this batch and were not granted. What would have closed them, had they been, leaves no mark:
-- they may be asked for again.
local turned_away = {}

local function is_full()
  backlog = backlog or redis.call('XLEN', journal_key)
  return backlog >= backlog_at_most
end

-- Why a hard account does not bear more, as a verdict; nothing if it does.
local function refusal_of(account, index, counter, more, held)
  local cooling = account.counter
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

-- Why the accounts do not bear a new hold; nothing if they do, each in its current window.
local function refusal_of_new(set, amounts, is_again)
  for at = 1, #set do
    local index = set[at]
    local account = accounts[index]
    local counter = account.counter
    if not counter.start or counter.ends <= now then
      turn(account, counter)
    end
    local more = amounts[account.unit]
    local is_borne = more <= account.limit - counter.spent - counter.held and counter.cooldown <= now
    if account.is_hard and not is_again and not (is_borne and status == 'ready') then
      local refusal = refusal_of(account, index, counter, more)
      if refusal then
        return refusal
      end
    end
  end
end

-- Where a hold that asks for more would sit, or why it may not. Who had them before may have them again.
local function find_places_again(set, amounts, held, is_again)
  local sits, places, amounts_before = {}, {}, amounts_of(held)
  for _, share in ipairs(read_shares(string.sub(held, SHARES_AT))) do
    sits[share.name] = share
  end
  for at, index in ipairs(set) do
    local account = accounts[index]
    local share, before = sits[account.name], amounts_before[account.unit]
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

-- The tightest of these quotas: account, what remains, when it is whole again.
local function tightest_of(set, rates, places)
  local tightest, least, ends
  for number = 1, #rates do
    local at = rates[number]
    local account = accounts[set[at]]
    local counter = places and places[at] or account.counter
    local remaining = account.limit - counter.spent - counter.held
    if not least or remaining < least then
      tightest, least, ends = set[at], remaining, counter.ends
    end
  end
  return tightest, least and math.max(least, 0), ends and ends - now
end

-- How the quotas of requests and of tokens stand, as a verdict.
local function rates_of(set, places)
  local requests, left, requests_in = tightest_of(set, set.rates[REQUESTS], places)
  local tokens, tokens_left, tokens_in = tightest_of(set, set.rates[TOKENS], places)
  if requests and tokens then
    return { GRANTED, requests, left, requests_in, tokens, tokens_left, tokens_in }
  elseif requests then
    return { GRANTED, requests, left, requests_in }
  elseif tokens then
    return { GRANTED, tokens, tokens_left, tokens_in }
  end
  return { GRANTED }
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

local function admit(id, order)
  local _, again, _, requests, tokens, places, nano, charge, attempts, revision, number, claims =
    struct.unpack(HOLD, order)
  local line, is_again, claim, body = take(), again == 1, nil, nil
  if claims == 1 then
    claim, body = take(), take()
  end
  local set, amounts = sets[number], { requests, tokens, places, nano }
  local held, done = find(id)
  local claimed = claim and not (held or done or is_again) and judge_claim(claim, body, id)
  if claimed then
    return { CLAIMED, claimed }
  end
  local answer = (done or not is_again) and answer_at_door(held, done, set[1], revision)
  if answer then
    return answer
  end
  local sits, refusal
  if held then
    sits, refusal = find_places_again(set, amounts, held, is_again)
  else
    refusal = refusal_of_new(set, amounts, is_again)
  end
  if refusal then
    return refusal
  elseif held then
    raise(id, held, amounts, line, charge, attempts)
  else
    share_out(accounts, set)
    open(id, order, amounts, set, line)
  end
  if held and is_again then
    lease(id)
  end
  if claim and not held and not (is_again and judge_claim(claim, body, id)) then
    put_claim(claim, body, id)
  end
  return rates_of(set, sits)
end

local function renew(id)
  renewed[#renewed + 1] = id
  return DONE
end

local function spend(set, spent)
  for _, index in ipairs(set) do
    local account = accounts[index]
    add(counter_of(account), 0, spent[account.unit])
  end
end

-- What a settlement or a correction brought along: its line; amounts, if it has no hold; its claim.
local function take_rest(number, claims)
  local line, uncovered, claim, body, answer = take(), nil, nil, nil, nil
  if number > 0 then
    local requests, tokens, places, nano = struct.unpack('<dddd', take())
    uncovered = { requests, tokens, places, nano }
  end
  if claims > 0 then
    claim, body = take(), take()
    answer = claims == 2 and take()
  end
  return line, uncovered, claim, body, answer
end

-- Without a hold it takes accounts and what to spend of each unit, in the windows of now. The first try comes
-- without them: they cost, and what no mark tells of may be in the ledger, where whoever asks has to look first.
local function settle(id, order)
  local _, gives_back, _, tokens, nano, claims, is_free, number = struct.unpack(SETTLE, order)
  local line, uncovered, claim, body, answer = take_rest(number, claims)
  local held, done = find(id)
  if done == SETTLED then
    tell_newest_line()
    return DONE
  elseif done then
    return { SWEPT, done[1], done[2], done[3] }
  elseif not (held or gives_back == 1 or uncovered) then
    return outlives_marks() and { AWAY } or { UNKNOWN }
  end
  if claim then
    close_claim(claim, body, id, answer, is_free == 1)
  end
  if held then
    close(id, held, tokens, nano)
  elseif gives_back == 1 then
    if not turned_away[id] then
      remember_settled(id) -- a hold that is still on its way comes too late
    end
    return DONE
  else
    spend(sets[number], uncovered)
  end
  journal(line)
  remember_settled(id)
  return DONE
end

-- A correction belongs to the windows of its call: given back in another, it could be spent twice.
local function correct(id, order)
  local _, _, _, tokens, nano, claims, is_free, number = struct.unpack(SETTLE, order)
  local line, _, claim, body, answer = take_rest(number, claims)
  local _, done = find(id)
  if done == SETTLED then
    tell_newest_line()
    return DONE
  elseif not done then
    return { UNKNOWN }
  end
  if claim then
    close_claim(claim, body, id, answer, is_free == 1)
  end
  add_to(seats_of(done[4]), NOTHING, { 0, tokens, 0, nano })
  journal(line)
  remember_settled(id)
  return DONE
end

-- What holds that nobody settled had set aside is spent; only their places are free again.
-- While the shard is rebuilt, whoever lives has yet to say so.
local function sweep(_, order)
  local over = {}
  if status == 'ready' then
    local _, _, _, at_most = struct.unpack('<BBc32d', order)
    over = redis.call('ZRANGEBYSCORE', leases_key, '-inf', now, 'LIMIT', 0, at_most)
  end
  for _, id in ipairs(over) do
    local held = hold_of(id)
    if held then
      sweep_one(id, held)
    else
      released[#released + 1] = id
    end
  end
  return { #over }
end

local A_HOLD = 1
local carriers = { admit, renew, settle, correct, sweep }

local verdicts, ids = {}, {}
accounts = read_accounts()
sets = read_sets(accounts)
for index = 1, order_count do
  ids[index] = string.sub(ARGV[orders_at + index], ID_AT, ID_END)
end
read_calls(ids)
for index = 1, order_count do
  local order, id = ARGV[orders_at + index], ids[index]
  local kind = string.byte(order)
  local verdict = carriers[kind](id, order)
  verdicts[index] = verdict
  if kind == A_HOLD and verdict[1] ~= GRANTED then
    turned_away[id] = true
  end
end
write_counters()
write_leases()
write_calls()
return verdicts

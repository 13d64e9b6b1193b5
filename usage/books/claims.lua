-- The fourth part of the script: claims on an `Idempotency-Key`, as gateway/claims.py judges them.
-- A claim: call, body, and the sealed answer once there is one.

local function claim_key(name)
  return prefix .. 'i:' .. name
end

-- What stands in a call's way, if anything does.
local function judge_claim(name, body, id)
  local key = claim_key(name)
  local found = redis.call('HMGET', key, 'call', 'body')
  if not found[1] or found[1] == id then
    return nil
  elseif found[2] ~= body then
    return CONFLICT
  elseif redis.call('HEXISTS', key, 'answer') == 1 then
    return ANSWERED
  end
  return hold_of(found[1]) and RUNNING or LOST
end

local function put_claim(name, body, id)
  local key = claim_key(name)
  redis.call('HSET', key, 'call', id, 'body', body)
  redis.call('PEXPIRE', key, CLAIMED_FOR)
end

-- Keeps the answer, or frees the key of a call that came to nothing. What a shard has lost is brought back so too.
local function close_claim(name, body, id, answer, is_free)
  local owner = redis.call('HGET', claim_key(name), 'call')
  if owner and owner ~= id then
    return
  elseif is_free then
    redis.call('DEL', claim_key(name))
    return
  end
  put_claim(name, body, id)
  if answer then
    redis.call('HSET', claim_key(name), 'answer', answer)
  end
end

-- The way of a lost shard back to service, step by step; see docs/decisions/0011 and usage/books/redis_recovery.py.
-- KEYS: the shard's state, the claim to rebuild it. ARGV: step, claimant, loss, milliseconds, and what a step takes:
-- what the counters were made from, or counters as MessagePack.

local step, claimant, loss, milliseconds = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local prefix = string.sub(KEYS[1], 1, -6)
local TURNED_FOR, ENDLESS = 691200000, 9007199254740992

local function whole(number)
  return string.format('%.0f', number)
end

local found = redis.call('HMGET', KEYS[1], 'status', 'loss')
local owner = redis.call('GET', KEYS[2])
if found[1] ~= 'lost' or found[2] ~= loss or (owner and owner ~= claimant) then
  return 0
end

if step == 'claim' then
  redis.call('SET', KEYS[2], claimant, 'PX', whole(milliseconds))
  return 1
elseif not owner then
  return 0
elseif step == 'open' then
  redis.call('HSET', KEYS[1], 'status', 'rebuilding', 'since', whole(milliseconds), 'sums', ARGV[5])
  redis.call('DEL', KEYS[2])
  return 1
end

-- What the shard still knows of a window may be more than the ledger does, and never less than was held to.
for _, row in ipairs(cmsgpack.unpack(ARGV[5])) do
  local name, start, ends, spent = unpack(row)
  local key, now, held, cooldown = prefix .. 'a:' .. name, milliseconds, 0, 0
  local packed = redis.call('GET', key)
  if packed then
    local known = { struct.unpack('<ddddd', packed) }
    if known[1] == start or known[2] > now then
      start, ends, held, cooldown = known[1], known[2], known[4], known[5]
      spent = math.max(spent, known[3])
    else
      local turned = prefix .. 'o:' .. name .. ':' .. whole(known[1])
      redis.call('RENAME', key, turned)
      redis.call('PEXPIRE', turned, whole(TURNED_FOR))
      cooldown = known[5]
    end
  end
  redis.call('SETRANGE', key, 0, struct.pack('<ddddd', start, ends, spent, held, cooldown))
  if ends < ENDLESS then
    redis.call('PEXPIRE', key, whole(ends - now + TURNED_FOR))
  end
end
return 1

-- Begins the windows of accounts of one shard anew, and ends their cooldowns. See usage/books/redis_standing.py.
-- KEYS: the shard's state. ARGV: the time or 0, then name and length of each account; 0 is that of a calendar window.
-- What was counted is kept under the old window's own key, where calls under way settle and corrections go: nothing
-- that began before can bring the new counter below zero.

local TURNED_FOR, ENDLESS = 691200000, 9007199254740992
local prefix = string.sub(KEYS[1], 1, -6)
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

local COUNTER = '<ddddd'

local function begin_anew(key, packed, name, length)
  local start, ends, spent, held = struct.unpack(COUNTER, packed)
  local turned = prefix .. 'o:' .. name .. ':' .. whole(start)
  redis.call('SET', turned, struct.pack(COUNTER, start, ends, spent, held, 0), 'PX', whole(TURNED_FOR))
  local fresh = math.max(now, start + 1)
  ends = length > 0 and fresh + length or ends
  redis.call('SET', key, struct.pack(COUNTER, fresh, ends, 0, 0, 0))
  if ends < ENDLESS then
    redis.call('PEXPIRE', key, whole(ends - now + TURNED_FOR))
  end
end

local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'ready' then
  return 0
end
for index = 2, #ARGV, 2 do
  local key = prefix .. 'a:' .. ARGV[index]
  local packed = redis.call('GET', key)
  local start, ends, spent, held = struct.unpack(COUNTER, packed or string.rep('\0', 40))
  if packed and ends > now then
    begin_anew(key, packed, ARGV[index], tonumber(ARGV[index + 1]))
  elseif packed then
    redis.call('SETRANGE', key, 0, struct.pack(COUNTER, start, ends, spent, held, 0))
  end
end
return 1

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

local function begin_anew(key, name, length, start, ends)
  local turned = prefix .. 'o:' .. name .. ':' .. whole(start)
  redis.call('RENAME', key, turned)
  redis.call('HSET', turned, 'cooldown', '0')
  redis.call('PEXPIRE', turned, whole(TURNED_FOR))
  local fresh = math.max(now, start + 1)
  ends = length > 0 and fresh + length or ends
  redis.call('HSET', key, 'start', whole(fresh), 'end', whole(ends), 'spent', '0', 'held', '0', 'cooldown', '0')
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
  local found = redis.call('HMGET', key, 'start', 'end')
  local start, ends = tonumber(found[1] or 0), tonumber(found[2] or 0)
  if found[1] and ends > now then
    begin_anew(key, ARGV[index], tonumber(ARGV[index + 1]), start, ends)
  elseif found[1] then
    redis.call('HSET', key, 'cooldown', '0')
  end
end
return 1

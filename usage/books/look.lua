-- How accounts of one shard stand; nothing is changed. See usage/books/redis_standing.py.
-- KEYS: the shard's state. ARGV: the time or 0, then the accounts' names.

local prefix = string.sub(KEYS[1], 1, -6)
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local told = {}
for index = 2, #ARGV do
  local found = redis.call('GET', prefix .. 'a:' .. ARGV[index])
  local counter = found and { struct.unpack('<ddddd', found) } or { 0, 0, 0, 0, 0 }
  told[#told + 1] = { unpack(counter, 2, 5) }
end
return cmsgpack.pack({ redis.call('HGET', KEYS[1], 'status') or '', now, told })

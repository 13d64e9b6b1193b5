-- Gives one drainer the lines that others took and did not finish, and forgets drainers that are long gone.
-- KEYS: journal. ARGV: group, drainer, idle milliseconds of a line, idle milliseconds of a drainer.
-- In one step, since a drainer that is forgotten with lines in its hands takes them along.

local journal = KEYS[1]
local group, drainer = ARGV[1], ARGV[2]

local taken, cursor = 0, '0-0'
repeat
  local found = redis.call('XAUTOCLAIM', journal, group, drainer, ARGV[3], cursor, 'COUNT', 1000, 'JUSTID')
  cursor, taken = found[1], taken + #found[2]
until cursor == '0-0'

for _, found in ipairs(redis.call('XINFO', 'CONSUMERS', journal, group)) do
  local known = {}
  for index = 1, #found, 2 do
    known[found[index]] = found[index + 1]
  end
  if known['pending'] == 0 and known['idle'] >= tonumber(ARGV[4]) then
    redis.call('XGROUP', 'DELCONSUMER', journal, group, known['name'])
  end
end
return taken

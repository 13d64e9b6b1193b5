-- The first part of one script, which carries out a batch of orders of one shard; see docs/decisions/0011.
-- counters.lua, holds.lua, claims.lua and books.lua follow as the body of one function, then answer.lua. The arithmetic is that of gateway/tally.py: one contract
-- test holds both to it.
-- KEYS: the shard's state. ARGV: a batch as usage/books/orders.py lays it out.
-- Lua's numbers are doubles: whatever is counted stays below 2^53, and is written without an exponent.
-- A call of a command costs more than most commands: what a batch reads and writes goes in few of them.

local SHORT_TAIL = 5000
-- So many values Lua puts into one call of a command; even, since some go in pairs.
local AT_ONCE = 4000

-- What the next parts take for granted stands here, outside of the function that they are: Lua looks for each value
-- that a function shares with the one around it, once a batch, among all that are shared.
local REQUESTS, TOKENS, CONCURRENCY, NANO = 1, 2, 3, 4
local GRANTED, REFUSED, SWEPT, UNKNOWN, AWAY, MOVED, CLAIMED = 1, 2, 3, 4, 5, 6, 7
local CONFLICT, RUNNING, ANSWERED, LOST = 1, 2, 3, 4
local DONE, SETTLED = {}, '1'

local TURNED_FOR, ENDLESS = 691200000, 9007199254740992
local SETTLED_FOR, SWEPT_FOR, CLAIMED_FOR = 600000, 86400000, 86400000
local UNDRAINED_FOR = SETTLED_FOR - 60000
-- So much longer marks are kept than they have to be: those that join them then need no other expiry.
local SPARE = 5000
local PLACE_FREE_IN = 1000

local NAMES_AT, ACCOUNT, ACCOUNT_SIZE = 4, '<BBdddddd', 50
-- A counter is five doubles: the window's start and end, spent, held, and the end of a cooldown.
local COUNTER = '<ddddd'
-- An order begins with its kind, a flag and the id of its call. A hold is kept as it came: amounts, charge, attempts
-- and what else it says; then where it sits. The ledger line that it becomes if nobody settles is kept elsewhere:
-- Lua reads every byte of every string that it is given.
local ID_AT, ID_END = 3, 34
local HOLD, HELD, HELD_AT, SHARES_AT = '<BBc32dddddddIB', '<dddddd', 35, 96
local SHARE = '<BBddHc0'
local SETTLE = '<BBc32ddBBI'

local state_key = KEYS[1]
local prefix = string.sub(state_key, 1, -6)
local seen, seen_at, now, lease_ms, backlog_at_most, rebuild_ms, account_count, set_count, order_count =
  struct.unpack('<ddddddIII', ARGV[1])
local server, field = ARGV[2], ARGV[3]

if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

local known = redis.call(
  'HMGET', state_key, 'seq', 'status', 'at', 'server', 'drained', 'loss', 'sums', 'since', 'revision'
)
local seq, status, at = tonumber(known[1] or 0), known[2], tonumber(known[3] or 0)
local drained, loss, sums, since = known[5] or '', known[6] or '', known[7] or '0', tonumber(known[8] or 0)
local newest_revision = tonumber(known[9] or 0)

local function lose(needs_sums)
  seq = math.max(seq, seen) + 1
  status, loss, sums = 'lost', whole(now) .. '-' .. whole(seq), needs_sums
  redis.call('HSET', state_key, 'seq', whole(seq), 'status', status, 'server', server, 'loss', loss, 'sums', sums)
end

-- Has the shard forgotten what a process knows of? A server that is new to it may have, even if others have
-- raised the number again since. How much that was, a process that has seen nothing cannot say.
local function look_for_loss()
  local is_behind, is_elsewhere = seen > seq, server ~= '' and known[4] ~= server
  local needs_sums = (seen == 0 or seen_at - at > SHORT_TAIL) and '1' or '0'
  if not status then
    lose('1')
  elseif status == 'ready' and (is_behind or is_elsewhere) then
    lose(needs_sums)
  elseif status ~= 'ready' and (is_elsewhere or (is_behind and needs_sums > sums)) then
    lose(needs_sums > sums and needs_sums or sums)
  elseif is_behind then
    seq = seen
    redis.call('HSET', state_key, 'seq', whole(seq))
  end
end

-- What is written while the shard is rebuilt does not move `at`: it says how much of the past has survived.
-- It is the first write of all, and the only one that Redis refuses when its memory is full.
local function stamp()
  if status == 'rebuilding' and now - since >= rebuild_ms then
    status = 'ready'
    redis.call('HSET', state_key, 'status', status)
  end
  if order_count > 0 and status ~= 'lost' then
    seq = seq + 1
    at = status == 'ready' and math.max(at, now) or at
    redis.call('HSET', state_key, 'seq', whole(seq), 'at', whole(at))
  end
end

-- The newest configuration that anybody came with. Whoever comes with an older one has to look again.
local function is_outdated(revision)
  if revision > newest_revision then
    newest_revision = revision
    redis.call('HSET', state_key, 'revision', whole(revision))
  end
  return revision > 0 and revision < newest_revision
end

local function write_all(command, key, values)
  for first = 1, #values, AT_ONCE do
    redis.call(command, key, unpack(values, first, math.min(first + AT_ONCE - 1, #values)))
  end
end

local last = ''

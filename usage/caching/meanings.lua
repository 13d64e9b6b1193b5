-- A prompt of a space. KEYS: the space's stream. ARGV: the answer's key, the sealed vector, how many prompts there
-- may be, and for how long. The stream lasts as long as the latest of its answers.

redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'key', ARGV[1], 'vector', ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 0

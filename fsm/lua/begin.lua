-- Joins the rebuilding of this life of Redis, or begins it.
-- KEYS[1] epoch; ARGV[1] a new token; returns the rebuilding's token
local run = run_id()
if redis.call('HGET', KEYS[1], 'run') ~= run then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'run', run, 'token', ARGV[1])
end
return redis.call('HGET', KEYS[1], 'token')

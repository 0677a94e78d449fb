-- Says that a partition has restored all its answers.
-- KEYS[1] epoch; ARGV token, partition; returns 0 when Redis has begun another life meanwhile
if not same_rebuilding(KEYS[1], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], '1')
return 1

-- KEYS[1] epoch; returns the fields of the epoch hash if it is of this life, else nothing
if redis.call('HGET', KEYS[1], 'run') ~= run_id() then return {} end
return redis.call('HKEYS', KEYS[1])

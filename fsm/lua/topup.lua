-- Raises stock or budget once per change number.
-- KEYS[1] the campaign's hash; ARGV number, kind, pieces, currency, minor units
-- returns 1 when it took effect, 0 when it had, 'too much' above what Lua counts exactly
local EXACT = 9007199254740991
local mark = 't:' .. ARGV[1]
if redis.call('HEXISTS', KEYS[1], mark) == 1 then return 0 end

local raises = {}
for _, r in ipairs({{'S:' .. ARGV[2], ARGV[3]}, {'B:' .. ARGV[4], ARGV[5]}}) do
  if r[2] ~= '0' then
    if tonumber(redis.call('HGET', KEYS[1], r[1]) or '0') + tonumber(r[2]) > EXACT then return 'too much' end
    raises[#raises + 1] = r
  end
end
for _, r in ipairs(raises) do redis.call('HINCRBY', KEYS[1], r[1], r[2]) end
redis.call('HSET', KEYS[1], mark, '1')
return 1

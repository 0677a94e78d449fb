-- Declares a campaign version's stock and budget, unless this or a later one has been.
-- KEYS[1] the campaign's hash
-- ARGV    version, number of kinds, then kind and pieces of each, then currency and minor units of each
-- returns 1 when it took effect
local version = tonumber(ARGV[1])
local known = redis.call('HGET', KEYS[1], 'v')
if known and tonumber(known) >= version then return 0 end

local named, writes = {}, {'v', ARGV[1]}
local last = 2 + 2 * tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
  local field = (i <= last and 's:' or 'b:') .. ARGV[i]
  named[field] = true
  writes[#writes + 1] = field
  writes[#writes + 1] = ARGV[i + 1]
end

-- What the version no longer names is no longer declared, so that declaring the present
-- version alone, after Redis was emptied, says the same as declaring all of them in turn.
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local prefix = string.sub(field, 1, 2)
  if (prefix == 's:' or prefix == 'b:') and not named[field] then redis.call('HDEL', KEYS[1], field) end
end
for i = 1, #writes, 2 do redis.call('HSET', KEYS[1], writes[i], writes[i + 1]) end
return 1

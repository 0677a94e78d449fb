-- Before every script: which life of this Redis the issuer's memory was rebuilt in.
-- The epoch hash holds run (Redis's run id then), token (one rebuilding) and one field
-- per partition that has restored its answers. No hash: Redis was emptied. Another run
-- id: restarted or failed over, and acknowledged writes may be lost (X10).

local function run_id()
  local info = redis.pcall('INFO', 'server')
  if type(info) ~= 'string' then return '' end -- a Redis that hides it: the hash alone decides
  return string.match(info, 'run_id:(%x+)') or ''
end

local function rebuilt(key, partitions)
  local run = redis.call('HGET', key, 'run')
  return run == run_id() and redis.call('HLEN', key) == partitions + 2
end

local function same_rebuilding(key, token)
  local epoch = redis.call('HMGET', key, 'run', 'token')
  return epoch[1] == run_id() and epoch[2] == token
end

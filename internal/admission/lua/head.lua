-- Who answers: the process, and its line of promotions. A process that was demoted, lost its
-- last writes to the new master and was promoted again has the same run_id, but a new
-- master_replid2; a first replica that attaches changes neither. Only miniredis has no such sections.
local call, sub, find = redis.call, string.sub, string.find

local function field(section, name)
  local info = redis.pcall('INFO', section)
  if type(info) == 'table' then
    if find(info.err, 'not supported', 1, true) then return '-' end
    error(info.err, 0)
  end
  if find(info, 'role:slave', 1, true) then error('READONLY this Redis is a replica', 0) end
  return sub(string.match(info, name .. ':(%w+)') or '-', 1, 16)
end

local function server()
  return field('server', 'run_id') .. '/' .. field('replication', 'master_replid2')
end

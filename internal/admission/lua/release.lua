-- Gives back claims and shares, each only to the event that holds it.
-- KEYS: claim keys and hashes of shares. ARGV: per key 'c' event, or 's' user and id (event 8 bytes, asker 4).
-- Returns how many were given back.
local call, sub = redis.call, string.sub
local n = 0
for k = 1, #KEYS do
  local what, id = ARGV[2 * k - 1], ARGV[2 * k]
  if what == 'c' then
    local v = call('GET', KEYS[k])
    if v and sub(v, 11) == id then
      call('DEL', KEYS[k])
      n = n + 1
    end
  else
    local user = sub(id, 1, 8)
    local ids = call('HGET', KEYS[k], user) or ''
    for i = 1, #ids, 12 do
      if sub(ids, i, i + 11) == sub(id, 9) then
        ids = sub(ids, 1, i - 1) .. sub(ids, i + 12)
        if ids == '' then call('HDEL', KEYS[k], user) else call('HSET', KEYS[k], user, ids) end
        n = n + 1
        break
      end
    end
  end
end
return n

-- Gives back claims and shares, each only to the event that holds it.
-- KEYS: claim and share keys. ARGV: expiry in s; per key 'c' event or 's' id.
-- Returns how many were given back.
local call, sub = redis.call, string.sub
local n = 0
for k = 1, #KEYS do
  local what, id = ARGV[2 * k], ARGV[2 * k + 1]
  local v = call('GET', KEYS[k])
  if v and what == 'c' then
    if sub(v, 11) == id then
      call('DEL', KEYS[k])
      n = n + 1
    end
  elseif v then
    for i = 1, #v, 8 do
      if sub(v, i, i + 7) == id then
        v = sub(v, 1, i - 1) .. sub(v, i + 8)
        if v == '' then call('DEL', KEYS[k]) else call('SET', KEYS[k], v, 'EX', ARGV[1]) end
        n = n + 1
        break
      end
    end
  end
end
return n

-- Adds a page of accepted shares from facts to their buckets; the limit does not bind facts.
-- KEYS: epoch; the hashes. ARGV: the epoch's id, server, expiry in s; user and id of each.
local have, who = call('GET', KEYS[1]) or '', server()
if sub(have, 1, #ARGV[1]) ~= ARGV[1] or who ~= ARGV[2] then return {have, who} end
local met = {}
for i = 2, #KEYS do
  local key, user, id = KEYS[i], sub(ARGV[i + 2], 1, 8), sub(ARGV[i + 2], 9)
  local ids, there = call('HGET', key, user) or '', false
  for j = 1, #ids, 12 do
    if sub(ids, j, j + 7) == sub(id, 1, 8) then there = true end
  end
  if not there then call('HSET', key, user, ids .. id) end
  if not met[key] then
    call('EXPIRE', key, ARGV[3], 'NX')
    met[key] = true
  end
end
return ''

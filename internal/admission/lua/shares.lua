-- Adds a page of accepted shares from facts to their buckets; the limit does not bind facts.
-- KEYS: epoch; share keys. ARGV: the epoch's id, server, expiry in s; ids.
local have, who = call('GET', KEYS[1]) or '', server()
if sub(have, 1, #ARGV[1]) ~= ARGV[1] or who ~= ARGV[2] then return {have, who} end
for i = 2, #KEYS do
  local key, id = KEYS[i], ARGV[i + 2]
  local ids, there = call('GET', key) or '', false
  for j = 1, #ids, 8 do
    if sub(ids, j, j + 7) == id then there = true end
  end
  if not there then call('SET', key, ids .. id, 'EX', ARGV[3]) end
end
return ''

-- Writes a page of claims from facts. Facts beat whatever is there, but for another chain's fact:
-- a claim rebuilt in this epoch, or, in an epoch that already admits, any claim. Such a one stays and is
-- returned, again when the page is sent again: index (2 bytes), 'c', length, value.
-- KEYS: epoch; claim keys. ARGV: the epoch's id, server; values.
local have, who = call('GET', KEYS[1]) or '', server()
local id = ARGV[1]
if sub(have, 1, #id) ~= id or who ~= ARGV[2] then return {have, who} end
local admits = not find(have, '0', #id + 1, true)
local met = {}
for from = 1, #KEYS - 1, 500 do
  local to, pairs, n = math.min(from + 499, #KEYS - 1), {}, 0
  local stored = call('MGET', unpack(KEYS, from + 1, to + 1))
  for i = from, to do
    local s, value = stored[i - from + 1], ARGV[i + 2]
    if s and sub(s, 3, 10) ~= sub(value, 3, 10) and (admits or sub(s, 1, 2) == sub(value, 1, 2)) then
      met[#met + 1] = string.char(math.floor((i - 1) / 256), (i - 1) % 256) .. 'c' .. string.char(#s) .. s
    else
      pairs[n + 1], pairs[n + 2] = KEYS[i + 1], value
      n = n + 2
    end
  end
  if n > 0 then call('MSET', unpack(pairs)) end
end
return table.concat(met)

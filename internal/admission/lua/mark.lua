-- Marks a partition as rebuilt. KEYS: epoch. ARGV: the epoch's id, server, partition.
local have, who = call('GET', KEYS[1]) or '', server()
local id = ARGV[1]
if sub(have, 1, #id) == id and who == ARGV[2] then
  call('SETRANGE', KEYS[1], #id + tonumber(ARGV[3]), '1')
  have = call('GET', KEYS[1])
end
return {have, who}

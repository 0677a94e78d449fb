-- Looks at the epoch; where ARGV[2] is given and the key still holds ARGV[1], begins another.
-- KEYS: epoch. ARGV: expected value, "<number> <nonce> " or '', partitions.
local have, who = call('GET', KEYS[1]) or '', server()
if ARGV[2] ~= '' and have == ARGV[1] then
  have = ARGV[2] .. who .. ' ' .. string.rep('0', tonumber(ARGV[3]))
  call('SET', KEYS[1], have)
end
return {have, who}

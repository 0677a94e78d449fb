-- Reads remembered answers.
-- KEYS epoch, then the answers' hash of each key; ARGV partitions, then fields
-- returns 1 or 0 for rebuilt or not, then one digit per key, 0 where nothing is remembered
local digits = {rebuilt(KEYS[1], tonumber(ARGV[1])) and '1' or '0'}
for i = 2, #KEYS do
  digits[i] = redis.call('HGET', KEYS[i], ARGV[i]) or '0'
end
return table.concat(digits)

-- Judges a batch of asks, or none of them when the epoch or the server is another one.
-- KEYS: epoch; the claim keys of the fast asks, all different; the hashes of the groups of fast shares; the keys of
--       the others, in order.
-- ARGV: epoch, server, fast asks, groups, other asks, limit in bytes, expiry in s; the fast asks' values; per group how
--       many, their users, all different, and their ids; per other ask 's' user id known | 'c' value | 'b' user id known value.
-- Returns '' when all is granted, else per ask that is not: index (2 bytes), 's' or 'c', length, holder.
local have, who = call('GET', KEYS[1]) or '', server()
if have ~= ARGV[1] or who ~= ARGV[2] then return {have, who} end
local fast, groups, others = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local limit, expiry = tonumber(ARGV[6]), ARGV[7]
local out = {}

local function refuse(i, what, holder)
  out[#out + 1] = string.char(math.floor(i / 256), i % 256) .. what .. string.char(#holder) .. holder
end

-- The stored value names the asking event, as far as it says.
local function same(stored, value) return sub(value, 3, #stored) == sub(stored, 3) end

-- Fast asks, by the hundreds: all free is the rule, and one command settles it.
for from = 1, fast, 500 do
  local to, pairs, n = math.min(from + 499, fast), {}, 0
  for i = from, to do
    pairs[n + 1], pairs[n + 2] = KEYS[i + 1], ARGV[i + 7]
    n = n + 2
  end
  if call('MSETNX', unpack(pairs)) == 0 then
    local stored = call('MGET', unpack(KEYS, from + 1, to + 1))
    pairs, n = {}, 0
    for i = from, to do
      local s, value = stored[i - from + 1], ARGV[i + 7]
      if s and not same(s, value) then
        refuse(i - 1, 'c', s)
      elseif not s or #s < #value then
        pairs[n + 1], pairs[n + 2] = KEYS[i + 1], value
        n = n + 2
      end
    end
    if n > 0 then call('MSET', unpack(pairs)) end
  end
end

-- Where the event of an id (event 8 bytes, asker 4) stands.
local function place(ids, id)
  local event = sub(id, 1, 8)
  for i = 1, #ids, 12 do
    if sub(ids, i, i + 7) == event then return i end
  end
end

-- What a user's ids are with this one, which is then the asker of its event's place; nil when the limit refuses it.
local function with(ids, id)
  local i = place(ids, id)
  if i then return sub(ids, 1, i - 1) .. id .. sub(ids, i + 12) end
  if #ids < limit then return ids .. id end
end

-- Fast shares, a hash at a time.
local n, a = fast, fast + 8
for g = 1, groups do
  local key, size = KEYS[fast + 1 + g], tonumber(ARGV[a])
  local stored, pairs, p = call('HMGET', key, unpack(ARGV, a + 1, a + size)), {}, 0
  for i = 1, size do
    local ids = stored[i] or ''
    local now = with(ids, ARGV[a + size + i])
    if not now then
      refuse(n, 's', '')
    elseif now ~= ids then
      pairs[p + 1], pairs[p + 2] = ARGV[a + i], now
      p = p + 2
    end
    n = n + 1
  end
  if p > 0 then
    call('HSET', key, unpack(pairs))
    call('EXPIRE', key, expiry, 'NX')
  end
  a = a + 1 + 2 * size
end

local function share(key, user, id, known)
  local ids = call('HGET', key, user) or ''
  local before = ids
  for i = 1, #known, 12 do
    local k = sub(known, i, i + 11)
    if not place(ids, k) then ids = ids .. k end
  end
  local now = with(ids, id)
  ids = now or ids
  if ids ~= before then
    call('HSET', key, user, ids)
    call('EXPIRE', key, expiry, 'NX')
  end
  return now
end

local function giveBack(key, user, id)
  local ids = call('HGET', key, user)
  local i = place(ids, id)
  ids = sub(ids, 1, i - 1) .. sub(ids, i + 12)
  if ids == '' then call('HDEL', key, user) else call('HSET', key, user, ids) end
end

local function claim(key, value)
  if call('SETNX', key, value) == 1 then return nil end
  local s = call('GET', key)
  if not same(s, value) then return s end
  if #s < #value then call('SET', key, value) end
end

-- The others one by one, in the order in which they were asked.
local k = fast + groups + 2
for i = n, n + others - 1 do
  local what = ARGV[a]
  if what == 'c' then
    local holder = claim(KEYS[k], ARGV[a + 1])
    if holder then refuse(i, 'c', holder) end
    k, a = k + 1, a + 2
  else
    local key, user, id = KEYS[k], ARGV[a + 1], ARGV[a + 2]
    local granted = share(key, user, id, ARGV[a + 3])
    if not granted then refuse(i, 's', '') end
    k, a = k + 1, a + 4
    if what == 'b' then
      if granted then
        local holder = claim(KEYS[k], ARGV[a])
        if holder then
          giveBack(key, user, id)
          refuse(i, 'c', holder)
        end
      end
      k, a = k + 1, a + 1
    end
  end
end
return table.concat(out)

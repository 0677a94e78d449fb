-- Answers a batch of requests, each once for ever. Reads and decides first, writes last:
-- Redis does not undo what a script wrote before an error.
-- KEYS epoch, the campaigns' hashes, then the answers' hash of each request
-- ARGV partitions, then per request: index of its campaign in KEYS, field, kind, value, currency
-- returns one digit per request, or 'not rebuilt'
--
-- A campaign's hash: v version; s:<kind> declared by the version, S:<kind> topped up,
-- n:<kind> done; b:<currency>, B:<currency>, m:<currency> the same of budget, in minor units;
-- t:<number> a top-up that has taken effect.
local DONE, OUT_OF_STOCK, OUT_OF_BUDGET, REFUSED, UNDECLARED = '1', '2', '3', '4', '5'
local EXACT = 9007199254740991 -- integers above are not exact in Lua

if not rebuilt(KEYS[1], tonumber(ARGV[1])) then return 'not rebuilt' end

local declared, accounts, decided = {}, {}, {}

local function is_declared(campaign)
  if declared[campaign] == nil then
    declared[campaign] = redis.call('HEXISTS', campaign, 'v') == 1
  end
  return declared[campaign]
end

-- account is what is declared, used before this batch, and used by it.
local function account(campaign, base, extra, used, name)
  local id = campaign .. used .. name
  local a = accounts[id]
  if not a then
    local v = redis.call('HMGET', campaign, base .. name, extra .. name, used .. name)
    a = {campaign = campaign, field = used .. name, taken = 0, used = tonumber(v[3] or '0')}
    if v[1] then a.limit = tonumber(v[1]) + tonumber(v[2] or '0') end
    accounts[id] = a
  end
  return a
end

local function decide(campaign, kind, value, currency)
  if not is_declared(campaign) then return UNDECLARED end
  local stock = account(campaign, 's:', 'S:', 'n:', kind)
  local budget = account(campaign, 'b:', 'B:', 'm:', currency)
  if not stock.limit or not value or value < 0 or budget.used + budget.taken + value > EXACT then return REFUSED end
  if stock.used + stock.taken + 1 > stock.limit then return OUT_OF_STOCK end
  if budget.limit and budget.used + budget.taken + value > budget.limit then return OUT_OF_BUDGET end
  stock.taken = stock.taken + 1
  budget.taken = budget.taken + value
  return DONE
end

local requests = (#ARGV - 1) / 5
local answers, fresh = {}, {}
for i = 1, requests do
  local a = i * 5 - 3
  local hash, field = KEYS[#KEYS - requests + i], ARGV[a + 1]
  local id = hash .. '|' .. field
  local answer = decided[id] or redis.call('HGET', hash, field)
  if not answer then
    answer = decide(KEYS[tonumber(ARGV[a])], ARGV[a + 2], tonumber(ARGV[a + 3]), ARGV[a + 4])
    decided[id] = answer
    if answer ~= UNDECLARED then fresh[#fresh + 1] = {hash, field, answer} end
  end
  answers[i] = answer
end

for _, f in ipairs(fresh) do redis.call('HSET', f[1], f[2], f[3]) end
for _, a in pairs(accounts) do
  if a.taken > 0 then redis.call('HINCRBY', a.campaign, a.field, string.format('%.0f', a.taken)) end
end
return table.concat(answers)

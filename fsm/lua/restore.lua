-- Restores final answers that facts tell of and Redis has lost. Facts are true in every
-- life of Redis, so that only mark.lua asks whether this one is still the same.
-- KEYS epoch, the campaigns' hashes, then the answers' hash of each answer
-- ARGV per answer: index of its campaign in KEYS, field, digit, kind, value, currency
-- returns restored and contradicted
local DONE = '1'

local answers = #ARGV / 6
local seen, fresh, used = {}, {}, {}
local restored, contradicted = 0, 0

local function use(campaign, field, n)
  local id = campaign .. field
  used[id] = used[id] or {campaign, field, 0}
  used[id][3] = used[id][3] + n
end

for i = 1, answers do
  local a = i * 6 - 5
  local campaign, field, answer = KEYS[tonumber(ARGV[a])], ARGV[a + 1], ARGV[a + 2]
  local hash = KEYS[#KEYS - answers + i]
  local id = hash .. '|' .. field
  local known = seen[id] or redis.call('HGET', hash, field)
  if not known then restored = restored + 1 elseif known ~= answer then contradicted = contradicted + 1 end
  -- What was paid is never taken back, so Done wins over a refusal on either side.
  if not known or (known ~= answer and answer == DONE) then
    seen[id] = answer
    fresh[#fresh + 1] = {hash, field, answer}
    if answer == DONE then
      use(campaign, 'n:' .. ARGV[a + 3], 1)
      use(campaign, 'm:' .. ARGV[a + 5], tonumber(ARGV[a + 4]))
    end
  end
end

for _, f in ipairs(fresh) do redis.call('HSET', f[1], f[2], f[3]) end
for _, u in pairs(used) do redis.call('HINCRBY', u[1], u[2], string.format('%.0f', u[3])) end
return {restored, contradicted}

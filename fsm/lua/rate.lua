-- Generic cell rate algorithm, the same as gcra() in limiter.go, by Redis's own clock.
-- KEYS[1] theoretical arrival time, microseconds since 1970
-- ARGV    interval and tolerance in microseconds, permits wanted
-- returns granted, microseconds until the next permit
local interval, tolerance, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local arrival = tonumber(redis.call('GET', KEYS[1]) or '0')

local due = math.min(math.max(arrival, now), now + tolerance)
local granted = math.min(want, math.floor((now + tolerance - due) / interval))
due = due + granted * interval

local wait = 0
if granted < want then wait = due + interval - tolerance - now end
if granted > 0 or arrival > due then
  -- An arrival beyond the tolerance, cut off above, is written as well: else it would
  -- be cut off again at every call, and nobody served until the old time came. A key
  -- that has expired says the same as one in the past: nothing is owed.
  redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.floor(tolerance / 1000) + 1000)
end
return {granted, wait}

-- The limits of all processes. One call serves a batch of orders.
--
-- KEYS  for each order two: a bucket's rate (when it will be full, in microseconds of this server's clock), and its
--       leases (a sorted set: who works on a request, and when the lease lapses unless renewed)
-- ARGV  the life of a lease in microseconds, then for each order five:
--       verb (admit, renew, release), lease, interval in microseconds, burst, slots
-- Answers two numbers for each `admit`: 0 admitted, 1 too many a minute, 2 too many at once; and the backlog in
-- microseconds.

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local life = tonumber(ARGV[1])
local answers = {}

-- Lua writes large numbers as 1.7e+15 otherwise.
local function whole(number)
  return string.format('%.0f', number)
end

local function hold(leases, lease)
  redis.call('ZADD', leases, whole(now + life), lease)
  redis.call('PEXPIRE', leases, whole(life / 1000))
end

local function admit(rate, leases, lease, interval, burst, slots)
  local backlog = math.max(0, tonumber(redis.call('GET', rate) or 0) - now)
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', whole(now))
  if redis.call('ZCARD', leases) >= slots then
    return 2, backlog
  end
  if backlog + interval > interval * burst then
    return 1, backlog
  end
  backlog = backlog + interval
  redis.call('SET', rate, whole(now + backlog), 'PX', whole(math.ceil(backlog / 1000)))
  hold(leases, lease)
  return 0, backlog
end

for order = 1, #KEYS / 2 do
  local rate, leases = KEYS[2 * order - 1], KEYS[2 * order]
  local at = 5 * order - 3
  local verb, lease = ARGV[at], ARGV[at + 1]
  if verb == 'admit' then
    local verdict, backlog = admit(
      rate, leases, lease, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
    )
    answers[#answers + 1] = verdict
    answers[#answers + 1] = backlog
  elseif verb == 'renew' then
    hold(leases, lease)
  else
    redis.call('ZREM', leases, lease)
  end
end

return answers

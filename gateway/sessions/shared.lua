-- One step of the store. KEYS[1] is the prefix of all keys, ARGV[1] the verb, ARGV[2] the verb's arguments as JSON.
-- Moments are Unix seconds, as text: Redis keeps them as they come, where Lua would round them.
--
--   session:<owner>:<id>            hash: created, used, model, messages, and `pin:<pool>` as JSON
--   session-history:<owner>:<id>    the conversation, as JSON
--   session-lock:<owner>:<id>       the token of the turn under way; "!" follows once the session was removed
--   sessions-of:<owner>             ids by last use
--   sessions:{once,proven}          <owner>:<id> by last use, of those seen once and of those worth more
--   pins:<pool>:<replica>:{…}       the same, of those pinned to one replica
--   slots:<pool>:<replica>          hash: slot -> <owner>:<id>

local prefix, verb, given = KEYS[1], ARGV[1], cjson.decode(ARGV[2])

local function key(...)
  return prefix .. table.concat({...}, ':')
end

local function parts(member)
  return string.match(member, '^([^:]*):(.*)$')
end

local function drop(order, member)
  redis.call('ZREM', order .. ':once', member)
  redis.call('ZREM', order .. ':proven', member)
end

local function touch(order, member, proven, forgotten, lifetime)
  drop(order, member)
  local kind = order .. (proven and ':proven' or ':once')
  redis.call('ZADD', kind, given.used, member)
  redis.call('ZREMRANGEBYSCORE', kind, '-inf', '(' .. forgotten)
  redis.call('PEXPIRE', kind, lifetime)
end

-- Those to give up so that no more than `bound` are left: the ended ones, then as `Recency.surplus`.
local function surplus(order, bound)
  local once, proven = order .. ':once', order .. ':proven'
  local excess = redis.call('ZCARD', once) + redis.call('ZCARD', proven) - bound
  local share = math.max(1, math.floor(bound / given.share_of_once))
  local function has_ended(kind)
    return redis.call('ZCOUNT', kind, '-inf', '(' .. given.ended) > 0
  end
  local members = {}
  for _ = 1, excess do
    local kind = has_ended(proven) and proven or has_ended(once) and once
    kind = kind or (redis.call('ZCARD', once) > share and once or proven)
    table.insert(members, redis.call('ZPOPMIN', kind)[1])
  end
  return members
end

local function pins_of(member)
  local pins = {}
  local fields = redis.call('HGETALL', key('session', member))
  for at = 1, #fields, 2 do
    local pool = string.match(fields[at], '^pin:(.*)$')
    if pool then
      pins[pool] = cjson.decode(fields[at + 1])
    end
  end
  return pins
end

local function unpin(member, pool, pin)
  drop(key('pins', pool, pin.replica), member)
  if pin.slot then
    local slots = key('slots', pool, pin.replica)
    if redis.call('HGET', slots, pin.slot) == member then
      redis.call('HDEL', slots, pin.slot)
    end
  end
end

local function forget(member)
  for pool, pin in pairs(pins_of(member)) do
    unpin(member, pool, pin)
  end
  local owner, id = parts(member)
  redis.call('DEL', key('session', member), key('session-history', member))
  redis.call('ZREM', key('sessions-of', owner), id)
  drop(key('sessions'), member)
end

local function is_live(member)
  local used = redis.call('HGET', key('session', member), 'used')
  return used and tonumber(used) >= tonumber(given.ended)
end

-- Notes a use of the session in all orders, and keeps their bounds.
local function use(member)
  local pins = pins_of(member)
  local proven = tonumber(redis.call('HGET', key('session', member), 'messages') or 0) > 0
  for _, pin in pairs(pins) do
    proven = proven or (pin.turns or 0) > 1
  end
  redis.call('HSET', key('session', member), 'used', given.used)
  redis.call('PEXPIRE', key('session', member), given.remembered_ms)
  redis.call('PEXPIRE', key('session-history', member), given.idle_ms)
  local owner, id = parts(member)
  local ids = key('sessions-of', owner)
  redis.call('ZADD', ids, given.used, id)
  redis.call('ZREMRANGEBYSCORE', ids, '-inf', '(' .. given.ended)
  redis.call('PEXPIRE', ids, given.idle_ms)
  touch(key('sessions'), member, proven, given.forgotten, given.remembered_ms)
  for pool, pin in pairs(pins) do
    local order = key('pins', pool, pin.replica)
    touch(order, member, proven, given.ended, given.idle_ms)
    redis.call('PEXPIRE', key('slots', pool, pin.replica), given.idle_ms)
    for _, other in ipairs(surplus(order, given.pins_per_replica)) do
      unpin(other, pool, pins_of(other)[pool] or pin)
      redis.call('HDEL', key('session', other), 'pin:' .. pool)
    end
  end
  for _, other in ipairs(surplus(key('sessions'), given.sessions)) do
    forget(other)
  end
end

local verbs = {}

function verbs.save()
  local member = given.member
  if string.sub(redis.call('GET', key('session-lock', member)) or '', -1) == '!' then
    return
  end
  if not is_live(member) then
    forget(member)
  end
  local session = key('session', member)
  redis.call('HSETNX', session, 'created', given.created)
  redis.call('HSET', session, 'model', given.model)
  local before = pins_of(member)
  for pool, encoded in pairs(given.pins) do
    local pin = cjson.decode(encoded)
    if before[pool] then
      unpin(member, pool, before[pool])
    end
    redis.call('HSET', session, 'pin:' .. pool, encoded)
    if pin.slot then
      redis.call('HSET', key('slots', pool, pin.replica), pin.slot, member)
    end
  end
  use(member)
end

function verbs.remove()
  local member = given.member
  local was_live = is_live(member)
  forget(member)
  local lock = key('session-lock', member)
  local token = redis.call('GET', lock)
  local is_begun = token and string.sub(token, -1) ~= '!'
  if is_begun then
    redis.call('APPEND', lock, '!')
  end
  return (was_live or is_begun) and 1 or 0
end

function verbs.list()
  local sessions = {}
  local ids = key('sessions-of', given.owner)
  ids = redis.call('ZREVRANGEBYSCORE', ids, '+inf', given.ended, 'LIMIT', 0, given.most)
  for _, id in ipairs(ids) do
    table.insert(sessions, {id, redis.call('HGETALL', key('session', given.owner, id))})
  end
  return sessions
end

function verbs.slot_holders()
  local order = key('pins', given.pool, given.replica)
  local fields = redis.call('HGETALL', key('slots', given.pool, given.replica))
  local holders = {}
  for at = 1, #fields, 2 do
    local member = fields[at + 1]
    local proven = redis.call('ZSCORE', order .. ':proven', member)
    local used = proven or redis.call('ZSCORE', order .. ':once', member)
    if used and tonumber(used) >= tonumber(given.ended) then
      table.insert(holders, {fields[at], member, used, proven and 1 or 0})
    end
  end
  return holders
end

-- A turn may take longer than a session lives unused.
function verbs.write_conversation()
  local member = given.member
  local token = redis.call('GET', key('session-lock', member)) or ''
  if token ~= given.token or redis.call('EXISTS', key('session', member)) == 0 then
    return 0
  end
  if token == '' and not is_live(member) then
    return 0
  end
  redis.call('SET', key('session-history', member), ARGV[3])
  redis.call('HSET', key('session', member), 'messages', given.messages)
  use(member)
  return 1
end

-- For the turns of one process, whose tokens are by the owner and id of their sessions. A lock that Redis forgot when
-- it was started again is taken once more. A session does not end during its turn.
function verbs.prolong()
  for member, token in pairs(given.tokens) do
    local lock = key('session-lock', member)
    local found = redis.call('GET', lock)
    if not found then
      redis.call('SET', lock, token, 'EX', given.lease)
    elseif string.sub(found, 1, #token) == token then
      redis.call('EXPIRE', lock, given.lease)
    end
    if is_live(member) then
      use(member)
    end
  end
end

function verbs.unlock()
  for token, member in pairs(given.members) do
    local lock = key('session-lock', member)
    if string.sub(redis.call('GET', lock) or '', 1, #token) == token then
      redis.call('DEL', lock)
    end
  end
end

return verbs[verb]()

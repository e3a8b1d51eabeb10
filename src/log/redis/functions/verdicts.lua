-- Who is kept out, for all gateways: at partition 0.
--
--   B:v   hash   birth: microseconds at which this list was begun; version: number of the last change;
--                <kind>:<value> -> "until at ends"
--   B:vc  zset   <kind>:<value> -> version of its last change
--   B:ve  zset   <kind>:<value> -> ends
--   B:z   sharded Pub/Sub: that there is a change, and what gateways tell each other
--
-- `at` is when it was said: of two verdicts about the same the later one counts. One that was taken back
-- has `until` 0 and is remembered like the others, up to `ends`: the latest until that was ever said of it.
-- So it isn't put in force again by a gateway that had been away and brings the old one.

local CHANGED = '{"kind":"changed"}'

local function verdict_of(base, field)
  local stored = redis.call('HGET', base .. ':v', field)
  if not stored then return nil end
  local till, at, ends = string.match(stored, '^(%d+) (%d+) (%d+)$')
  return { till = tonumber(till), at = tonumber(at), ends = tonumber(ends) }
end

local function forget_ended(base, clock)
  local ended = redis.call('ZRANGEBYSCORE', base .. ':ve', '-inf', text(clock), 'LIMIT', 0, PRUNE)
  if #ended == 0 then return end
  redis.call('HDEL', base .. ':v', unpack(ended))
  redis.call('ZREM', base .. ':vc', unpack(ended))
  redis.call('ZREM', base .. ':ve', unpack(ended))
end

-- Two fields aren't verdicts.
local function is_full(base, limit)
  return redis.call('HLEN', base .. ':v') - 2 >= tonumber(limit)
end

local function begin_list(base)
  local time = redis.call('TIME')
  redis.call('HSETNX', base .. ':v', 'birth', time[1] .. string.format('%06d', tonumber(time[2])))
  redis.call('HSETNX', base .. ':v', 'version', '0')
end

local function keep(base, field, verdict)
  local version = text(tonumber(redis.call('HGET', base .. ':v', 'version')) + 1)
  local ends = text(verdict.ends)
  redis.call('HSET', base .. ':v', 'version', version,
    field, text(verdict.till) .. ' ' .. text(verdict.at) .. ' ' .. ends)
  redis.call('ZADD', base .. ':vc', version, field)
  redis.call('ZADD', base .. ':ve', ends, field)
end

-- revoke: ARGV = limit, field, until, at and ends that the gateway knows of or 0. Answer: at, ends;
-- nil where there is no room.
local function revoke(keys, argv)
  local base, limit, field = keys[1], argv[1], argv[2]
  local clock = now()
  begin_list(base)
  forget_ended(base, clock)
  local before = verdict_of(base, field)
  if before == nil and is_full(base, limit) then return false end
  before = before or { at = 0, ends = 0 }
  local till = tonumber(argv[3])
  local verdict = {
    till = till,
    at = math.max(clock, before.at + 1, tonumber(argv[4]) + 1),
    ends = math.max(till, before.ends, tonumber(argv[5])),
  }
  if verdict.ends > clock then keep(base, field, verdict) end
  redis.call('SPUBLISH', base .. ':z', CHANGED)
  return { text(verdict.at), text(verdict.ends) }
end

-- remind: ARGV = limit, then field, until, at, ends of what a gateway remembers.
local function remind(keys, argv)
  local base, limit = keys[1], argv[1]
  local clock = now()
  begin_list(base)
  forget_ended(base, clock)
  local changed = false
  for i = 2, #argv, 4 do
    local field = argv[i]
    local verdict = { till = tonumber(argv[i + 1]), at = tonumber(argv[i + 2]), ends = tonumber(argv[i + 3]) }
    local before = verdict_of(base, field)
    local counts, ends = verdict, verdict.ends
    if before ~= nil then
      -- At the same time by two masters: the stricter one, so that all gateways come to the same.
      local newer = verdict.at > before.at or verdict.at == before.at and verdict.till > before.till
      counts, ends = newer and verdict or before, math.max(ends, before.ends)
    end
    local news = before == nil and not is_full(base, limit)
      or before ~= nil and (counts == verdict or ends > before.ends)
    if news and ends > clock then
      keep(base, field, { till = counts.till, at = counts.at, ends = ends })
      changed = true
    end
  end
  if changed then redis.call('SPUBLISH', base .. ':z', CHANGED) end
  return 1
end

-- verdicts: ARGV = version, limit. Answer: birth or '', version, then field, verdict, version of what
-- has changed since, by version.
local function verdicts(keys, argv)
  local key = keys[1] .. ':v'
  local list = redis.call('HMGET', key, 'birth', 'version')
  if not list[1] then return { '', '0' } end
  local answer = { list[1], list[2] }
  local changed = redis.call('ZRANGEBYSCORE', keys[1] .. ':vc', '(' .. argv[1], '+inf',
    'WITHSCORES', 'LIMIT', 0, tonumber(argv[2]))
  for i = 1, #changed, 2 do
    answer[#answer + 1] = changed[i]
    answer[#answer + 1] = redis.call('HGET', key, changed[i])
    answer[#answer + 1] = changed[i + 1]
  end
  return answer
end

-- Keeping somebody out is never refused for want of memory: the list is bounded.
register('revoke', revoke, { 'allow-oom' })
register('remind', remind, { 'allow-oom' })
register('verdicts', verdicts, READ_ONLY)

-- Runs: what is known of each generation, and who produces it. Each on the partition of its channel.
--
--   B:rn:<id>   hash    state, started, ended, format, events, fence, held (where its producer doesn't come
--                       item by item); as JSON upstream, owner, error, usage, key, pending, text. Expires
--                       when it was asked to, after the run's end; a running one only
--                       where nobody renews it for RUN_SAFETY, nor ends it
--   B:rl        zset    id -> ms at which its producer's lease is over; those that run
--   B:rs        zset    id -> ms at which it was told to stop; those that run
--   B:rk:<key>  string  id of the run that an idempotency key stands for
--
-- A full Redis refuses new runs and new keys only: whatever has begun must be able to end.

-- What is told of a run. Its text is apart: it may be large, and few want it.
local RUN_FIELDS = { 'state', 'started', 'ended', 'format', 'events', 'upstream', 'owner', 'error', 'usage',
  'key', 'pending' }
-- ms that a run is remembered without a sign of life and without a gateway that would end it.
local RUN_SAFETY = 604800000

local function run_key(base, id) return base .. ':rn:' .. id end

local function run_told(key)
  local told = redis.call('HMGET', key, unpack(RUN_FIELDS))
  return told[1] and told or nil
end

local function run_lease(base, id, ms)
  redis.call('ZADD', base .. ':rl', text(now() + tonumber(ms)), id)
  redis.call('PEXPIRE', run_key(base, id), text(RUN_SAFETY + tonumber(ms)))
end

-- Until it has ended.
local function run_stopped(base, id)
  return redis.call('ZSCORE', base .. ':rs', id) and 1 or 0
end

local function run_over(base, id)
  redis.call('ZREM', base .. ':rl', id)
  redis.call('ZREM', base .. ':rs', id)
end

-- The state of a producer's run; nil where it is another's, or there is none. A fence greater than the
-- known one was given by a master whose last words were lost: whoever has it is the newer one all the same.
local function run_of(key, fence)
  local known = redis.call('HMGET', key, 'state', 'fence')
  local own, newest = tonumber(fence), known[2] and tonumber(known[2]) or math.huge
  if own < newest then return nil end
  if own > newest then redis.call('HSET', key, 'fence', fence) end
  return known[1]
end

-- To the next producer, which holds it. Answer: its fence.
local function run_take(base, id, ms)
  local key = run_key(base, id)
  local fence = text(tonumber(redis.call('HGET', key, 'fence')) + 1)
  redis.call('HSET', key, 'fence', fence, 'held', '1')
  redis.call('HDEL', key, 'pending')
  run_lease(base, id, ms)
  return fence
end

-- run_begin: ARGV = id, ms of the lease, format, 'held' or '', upstream, owner, key, pending. Answer: fence or
-- '' where there is such a run, then what is told of it.
local function run_begin(keys, argv)
  local base, id = keys[1], argv[1]
  local key = run_key(base, id)
  local told = run_told(key)
  if told then return { '', told } end
  -- What is left of one that expired while it ran isn't meant for this one.
  run_over(base, id)
  redis.call('HSET', key, 'state', 'running', 'started', text(now()), 'format', argv[3], 'events', '0',
    'fence', '1')
  if argv[4] ~= '' then redis.call('HSET', key, 'held', '1') end
  for i, field in ipairs({ 'upstream', 'owner', 'key', 'pending' }) do
    if argv[4 + i] ~= '' then redis.call('HSET', key, field, argv[4 + i]) end
  end
  run_lease(base, id, argv[2])
  return { '1', run_told(key) }
end

-- run_resume: ARGV = id, ms of the lease, format or ''. Answer: fence or '' where it has ended, then what is
-- told; nil where there is none.
local function run_resume(keys, argv)
  local base, id = keys[1], argv[1]
  local key = run_key(base, id)
  local state, format = unpack(redis.call('HMGET', key, 'state', 'format'))
  if not state then return false end
  if state ~= 'running' then return { '', run_told(key) } end
  if argv[3] ~= '' and format == 'plain' then redis.call('HSET', key, 'format', argv[3]) end
  return { run_take(base, id, argv[2]), run_told(key) }
end

-- run_renew: ARGV = ms of the lease, then id, fence, events. Answer, one character each: h held, s stopped,
-- l lost.
local function run_renew(keys, argv)
  local base = keys[1]
  local standings = {}
  for i = 2, #argv, 3 do
    local id = argv[i]
    local key = run_key(base, id)
    local standing = 'l'
    if run_of(key, argv[i + 1]) == 'running' then
      redis.call('HSET', key, 'events', argv[i + 2])
      if argv[i + 2] ~= '0' then redis.call('HDEL', key, 'pending') end
      run_lease(base, id, argv[1])
      standing = run_stopped(base, id) == 1 and 's' or 'h'
    end
    standings[#standings + 1] = standing
  end
  return table.concat(standings)
end

-- run_touch: ARGV = id, ms of the lease, the visitor's fence or '', the owner or '' for anybody: a visitor that
-- doesn't fit prolongs nothing, one that does takes the run over from whoever holds it. Answer: fence, whether
-- it was told to stop, what is told; nil where there is none.
local function run_touch(keys, argv)
  local base, id = keys[1], argv[1]
  local key = run_key(base, id)
  local told = run_told(key)
  if not told then return false end
  local fence, owner, held = unpack(redis.call('HMGET', key, 'fence', 'owner', 'held'))
  local fits = (argv[3] == '' or argv[3] == fence) and (argv[4] == '' or argv[4] == owner)
  local stopped = run_stopped(base, id)
  if told[1] == 'running' and fits and stopped == 0 then
    if held then fence = run_take(base, id, argv[2]) end
    redis.call('HDEL', key, 'held')
    run_lease(base, id, argv[2])
  end
  return { fence, stopped, told }
end

-- run_describe: ARGV = id, fence, format. Answer: whether the run is the producer's.
local function run_describe(keys, argv)
  local key = run_key(keys[1], argv[1])
  if run_of(key, argv[2]) ~= 'running' then return 0 end
  redis.call('HSET', key, 'format', argv[3])
  redis.call('HDEL', key, 'pending')
  return 1
end

-- run_forget: ARGV = id, fence. Answer: whether the run was the producer's; it is no more.
local function run_forget(keys, argv)
  local base, id = keys[1], argv[1]
  local key = run_key(base, id)
  if run_of(key, argv[2]) ~= 'running' then return 0 end
  redis.call('DEL', key)
  run_over(base, id)
  return 1
end

-- run_finish: ARGV = id, fence, ms to keep it, state, events, error, usage, text. Answer: what is told, and
-- its text where it had ended before; nil where it is another's, or there is none.
local function run_finish(keys, argv)
  local base, id = keys[1], argv[1]
  local key = run_key(base, id)
  local state = run_of(key, argv[2])
  if not state then return false end
  if state ~= 'running' then return { run_told(key), redis.call('HGET', key, 'text') } end
  local ended = math.max(now(), tonumber(redis.call('HGET', key, 'started')))
  redis.call('HSET', key, 'state', argv[4], 'ended', text(ended), 'events', argv[5])
  redis.call('HDEL', key, 'pending')
  for i, field in ipairs({ 'error', 'usage', 'text' }) do
    if argv[5 + i] ~= '' then redis.call('HSET', key, field, argv[5 + i]) end
  end
  redis.call('PEXPIRE', key, argv[3])
  run_over(base, id)
  return { run_told(key) }
end

-- run_stop: ARGV = id. Answer: what is told; nil where there is none.
local function run_stop(keys, argv)
  local base, id = keys[1], argv[1]
  local told = run_told(run_key(base, id))
  if told and told[1] == 'running' then redis.call('ZADD', base .. ':rs', 'NX', text(now()), id) end
  return told or false
end

-- run_stops: ARGV = limit. Answer: ids of runs that were told to stop and haven't ended; the newest.
local function run_stops(keys, argv)
  return redis.call('ZRANGE', keys[1] .. ':rs', -tonumber(argv[1]), -1)
end

-- run_get: ARGV = id. Answer: what is told, its text; nil where there is none.
local function run_get(keys, argv)
  local key = run_key(keys[1], argv[1])
  local told = run_told(key)
  return told and { told, redis.call('HGET', key, 'text') } or false
end

-- run_overdue: ARGV = limit, ms of the lease. Answer: id, fence, whether it was told to stop, what is told;
-- for each.
local function run_overdue(keys, argv)
  local base = keys[1]
  local late = redis.call('ZRANGEBYSCORE', base .. ':rl', '-inf', text(now()), 'LIMIT', 0, argv[1])
  local answer = {}
  for _, id in ipairs(late) do
    local told = run_told(run_key(base, id))
    if told and told[1] == 'running' then
      answer[#answer + 1] = { id, run_take(base, id, argv[2]), run_stopped(base, id), told }
    else
      run_over(base, id)
    end
  end
  return answer
end

-- run_keyed: ARGV = key, id, ms. Answer: the id that the key stands for.
local function run_keyed(keys, argv)
  local key = keys[1] .. ':rk:' .. argv[1]
  local id = redis.call('GET', key)
  if id then return id end
  redis.call('SET', key, argv[2], 'PX', argv[3])
  return argv[2]
end

register('run_begin', run_begin, {})
register('run_resume', run_resume, { 'allow-oom' })
register('run_renew', run_renew, { 'allow-oom' })
register('run_touch', run_touch, { 'allow-oom' })
register('run_describe', run_describe, { 'allow-oom' })
register('run_forget', run_forget, { 'allow-oom' })
register('run_finish', run_finish, { 'allow-oom' })
register('run_stop', run_stop, { 'allow-oom' })
register('run_stops', run_stops, READ_ONLY)
register('run_get', run_get, READ_ONLY)
register('run_overdue', run_overdue, { 'allow-oom' })
register('run_keyed', run_keyed, {})

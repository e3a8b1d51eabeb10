-- The meta data with this process's epoch open. `seen`: the newest order that the caller knows of;
-- a new epoch begins after it, also where this process's clock is behind its predecessor's.
-- `layout`: "partitions:index". The index is the upper part of the tag: one process writes to all its
-- partitions in the same milliseconds, and no id names two events.
local function open_epoch(base, layout, seen)
  identify()
  local partitions, index = string.match(layout, '^(%d+):(%d+)$')
  local tag = tonumber(index) * PROCESS_TAGS + tag
  local meta = load_meta(base)
  if meta ~= nil and meta.run == run then return meta end
  local ms = math.max(now(), math.floor(seen / COUNTERS) + 1)
  if meta == nil then
    local birth = ms * COUNTERS
    meta = { run = run, start = birth, tag = tag, last = birth, birth = birth, horizon = birth,
      age = 0, partitions = tonumber(partitions), format = 1 }
  else
    redis.call('RPUSH', base .. ':x',
      text(meta.start) .. ' ' .. text(meta.last) .. ' ' .. text(meta.tag))
    redis.call('LTRIM', base .. ':x', -MAX_EPOCHS, -1)
    ms = math.max(ms, math.floor(meta.last / COUNTERS) + 1)
    meta.run, meta.tag, meta.start, meta.last = run, tag, ms * COUNTERS, ms * COUNTERS
  end
  redis.call('HSET', base .. ':m', 'run', run, 'tag', text(meta.tag), 'start', text(meta.start),
    'last', text(meta.last), 'birth', text(meta.birth), 'horizon', text(meta.horizon),
    'age', text(meta.age), 'partitions', text(meta.partitions), 'format', text(meta.format))
  return meta
end

-- open: ARGV = layout, seen. Makes the partition where there is none. Answer: standing, format, partitions.
local function open(keys, argv)
  local meta = open_epoch(keys[1], argv[1], tonumber(argv[2]))
  local answer = standing(keys[1])
  answer[#answer + 1] = text(meta.format)
  answer[#answer + 1] = text(meta.partitions)
  return answer
end

-- epochs: standing, and the closed epochs.
local function epochs(keys)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  return { answer, redis.call('LRANGE', keys[1] .. ':x', 0, -1) }
end

register('open', open, {})
register('epochs', epochs, READ_ONLY)

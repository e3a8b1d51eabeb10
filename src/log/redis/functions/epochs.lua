-- ms between two gateways' last signs of life that make the older one no witness: it says so each second.
local ALIVE = 5000

-- Whoever was there at the end of an epoch may know of more than the store has kept: awaited. Who had
-- been silent for longer knows nothing that isn't in what this server has, for that is a beginning of
-- what the other had, and the newest sign of life is in it.
local function await_witnesses(base, meta)
  local gateways = redis.call('ZRANGE', base .. ':a', 0, -1, 'WITHSCORES')
  if #gateways == 0 then return end
  local newest = tonumber(gateways[#gateways])
  local from = text(meta.last) .. ' ' .. text(meta.tag)
  for i = 1, #gateways, 2 do
    if tonumber(gateways[i + 1]) > newest - ALIVE then
      -- Awaited still for an earlier epoch: that is the earlier end.
      redis.call('HSETNX', base .. ':w', gateways[i], from)
    end
  end
  -- By another server's clock.
  redis.call('UNLINK', base .. ':a')
end

-- The process's tag, or a later one where an epoch had that: a process may be the master, a replica, and
-- the master again, and each time has positions of its own.
local function unused_tag(base, index)
  local used, of = {}, tag
  for _, epoch in ipairs(redis.call('LRANGE', base .. ':x', 0, -1)) do
    used[tonumber(string.match(epoch, '%d+$'))] = true
  end
  while used[index * PROCESS_TAGS + of] do of = (of + 1) % PROCESS_TAGS end
  return index * PROCESS_TAGS + of
end

-- The meta data with this process's epoch open. `seen`: the newest order that the caller knows of;
-- a new epoch begins after it, also where this process's clock is behind its predecessor's.
-- `layout`: "partitions:index". The index is the upper part of the tag: one process writes to all its
-- partitions in the same milliseconds, and no id names two events.
local function open_epoch(base, layout, seen)
  identify()
  local partitions, index = string.match(layout, '^(%d+):(%d+)$')
  local meta = load_meta(base)
  local mine = written[base]
  local same = meta ~= nil and meta.run == run
  -- The same process, but it was somebody's replica meanwhile, and may have less than it had written.
  -- Asked only of a library that is new here: a lineage changes also where nobody replicates for an hour.
  if same then same = mine and meta.last >= mine or not mine and meta.lineage == lineage() end
  if same then
    written[base] = math.max(meta.last, seen)
    -- Two masters at once: what the other gave out may be newer than anything here.
    if seen > meta.last then
      meta.last = seen
      redis.call('HSET', base .. ':m', 'last', text(seen))
    end
    return meta
  end
  local clock = now()
  local ms = math.max(clock, math.floor(math.max(seen, mine or 0) / COUNTERS) + 1)
  if meta == nil then
    local birth = ms * COUNTERS
    meta = { run = run, start = birth, tag = tonumber(index) * PROCESS_TAGS + tag, last = birth,
      birth = birth, horizon = birth, age = 0, partitions = tonumber(partitions), format = 1, hole = 0 }
  else
    redis.call('RPUSH', base .. ':x',
      text(meta.start) .. ' ' .. text(meta.last) .. ' ' .. text(meta.tag))
    redis.call('LTRIM', base .. ':x', -MAX_EPOCHS, -1)
    await_witnesses(base, meta)
    ms = math.max(ms, math.floor(meta.last / COUNTERS) + 1)
    meta.run, meta.tag = run, unused_tag(base, tonumber(index))
    meta.start, meta.last = ms * COUNTERS, ms * COUNTERS
  end
  meta.opened = clock
  redis.call('HSET', base .. ':m', 'run', run, 'tag', text(meta.tag), 'start', text(meta.start),
    'last', text(meta.last), 'birth', text(meta.birth), 'horizon', text(meta.horizon),
    'age', text(meta.age), 'partitions', text(meta.partitions), 'format', text(meta.format),
    'opened', text(meta.opened), 'hole', text(meta.hole), 'lineage', lineage())
  written[base] = meta.last
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

-- epochs: standing, the closed epochs, and the holes of the whole partition.
local function epochs(keys)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  return { answer, redis.call('LRANGE', keys[1] .. ':x', 0, -1),
    redis.call('LRANGE', keys[1] .. ':o', 0, -1) }
end

register('open', open, {})
register('epochs', epochs, READ_ONLY)

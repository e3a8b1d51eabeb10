-- The tag that an id of this order has: by the epoch that it lies in.
local function tag_at(base, meta, order)
  if order >= meta.start then return meta.tag end
  meta.epochs = meta.epochs or redis.call('LRANGE', base .. ':x', 0, -1)
  for i = #meta.epochs, 1, -1 do
    local start, of = string.match(meta.epochs[i], '^(%d+) %d+ (%d+)$')
    if order >= tonumber(start) then return tonumber(of) end
  end
  return 0
end

local function after_id(base, meta, after, age_limit)
  if after < age_limit then return text(age_limit / COUNTERS) .. '-0' end
  return '(' .. id(after, tag_at(base, meta, after))
end

-- What of each channel is evidence beside its entries: head, closed mark, deleted up to. Asked for
-- many at once: one call each would be a millisecond of everybody's time for a stream of a thousand.
local function facts(base, channels)
  local per = {}
  for from = 1, #channels, MANY do
    local to = math.min(from + MANY - 1, #channels)
    local heads = redis.call('ZMSCORE', base .. ':h', unpack(channels, from, to))
    local marks = redis.call('HMGET', base .. ':c', unpack(channels, from, to))
    local deleted = redis.call('HMGET', base .. ':d', unpack(channels, from, to))
    for i = 1, to - from + 1 do
      per[#per + 1] = { heads[i] or '0', marks[i] or '', deleted[i] or '0' }
    end
  end
  return per
end

-- read: ARGV = limit, then (channel, after, maxAge) each.
-- Answer: standing, time, then per channel: head, closed, deleted, entries as XRANGE gives them.
local function read(keys, argv)
  local base = keys[1]
  local answer, meta = standing(base)
  if answer == nil then return missing() end
  local ms = now()
  local limit, busy, channels = tonumber(argv[1]), 0, {}
  for i = 2, #argv, 3 do channels[#channels + 1] = argv[i] end
  local per = facts(base, channels)
  for i, fact in ipairs(per) do
    if tonumber(fact[1]) > tonumber(argv[3 * i]) then busy = busy + 1 end
  end
  for i, fact in ipairs(per) do
    local at = 3 * i - 1
    local after = tonumber(argv[at + 1])
    fact[4] = {}
    if tonumber(fact[1]) > after then
      -- What a channel leaves of its share goes to those after it.
      local share = math.max(1, math.floor(limit / busy))
      local age_limit = math.max(0, ms - tonumber(argv[at + 2])) * COUNTERS
      fact[4] = redis.call('XRANGE', base .. ':s:' .. argv[at],
        after_id(base, meta, after, age_limit), '+', 'COUNT', share)
      limit, busy = limit - #fact[4], busy - 1
    end
  end
  return { answer, text(ms), per }
end

-- seek: ARGV = earliest|count|age, number, then (channel, maxAge) each.
-- Answer: standing, then per channel: order and prev of the first entry asked for, or 0 and the head.
local function seek(keys, argv)
  local base = keys[1]
  local answer = standing(base)
  if answer == nil then return missing() end
  local ms, how, number = now(), argv[1], tonumber(argv[2])
  local per = {}
  for i = 3, #argv, 2 do
    local stream = base .. ':s:' .. argv[i]
    local from = math.max(0, ms - tonumber(argv[i + 1]))
    local first
    if how == 'count' then
      -- The end is no event: asked for one more where there is one.
      local wanted = number + redis.call('HEXISTS', base .. ':c', argv[i])
      if number > 0 then
        local newest = redis.call('XREVRANGE', stream, '+', text(from), 'COUNT', wanted)
        first = newest[#newest]
      end
    else
      if how == 'age' then from = math.max(from, ms - number) end
      first = redis.call('XRANGE', stream, text(from), '+', 'COUNT', 1)[1]
    end
    if first then
      per[#per + 1] = { text(order_of(first[1])), string.match(first[2][2], '^%d+') }
    else
      per[#per + 1] = { '0', redis.call('ZSCORE', base .. ':h', argv[i]) or '0' }
    end
  end
  return { answer, per }
end

-- info: ARGV = channel, maxAge. Takes away what is too old, so that counting what is held is exact.
local function info(keys, argv)
  local base, channel = keys[1], argv[1]
  local stream = base .. ':s:' .. channel
  local fact = facts(base, { channel })[1]
  if fact[1] == '0' then return false end
  if redis.call('EXISTS', stream) == 0 then return { fact[2], 0, 0, '', '' } end
  redis.call('XTRIM', stream, 'MINID', text(math.max(0, now() - tonumber(argv[2]))))
  local events = redis.call('XLEN', stream)
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 2)
  if newest[1] and newest[1][2][1] == 'e' then
    events = events - 1
    table.remove(newest, 1)
  end
  if events == 0 then return { fact[2], 0, 0, '', '' } end
  return { fact[2], events, redis.call('MEMORY', 'USAGE', stream), first[1], newest[1][1] }
end

-- It only takes away: also where memory is full.
register('info', info, { 'allow-oom' })
register('read', read, READ_ONLY)
register('seek', seek, READ_ONLY)

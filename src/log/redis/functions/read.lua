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

-- A head outlives its stream, so a stream without a head means that somebody took heads away. The
-- stream knows better then: a reader would be told that there is nothing. One call tells that none of
-- the channels is such a one, the usual case.
local function recall(base, channels, heads)
  local streams, places = {}, {}
  for i = 1, #heads do
    if not heads[i] then
      streams[#streams + 1] = base .. ':s:' .. channels[i]
      places[#places + 1] = i
    end
  end
  if #streams == 0 or redis.call('EXISTS', unpack(streams)) == 0 then return end
  for k, stream in ipairs(streams) do heads[places[k]] = newest_in(stream) end
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
    recall(base, { unpack(channels, from, to) }, heads)
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
      local got = redis.pcall('XRANGE', base .. ':s:' .. argv[at],
        after_id(base, meta, after, age_limit), '+', 'COUNT', share)
      -- Somebody put another type there: its events are gone, and the other channels are not.
      fact[4] = got.err and {} or got
      limit, busy = limit - #fact[4], busy - 1
    end
  end
  return { answer, text(ms), per }
end

-- How many holes a channel's stream may hold: they aren't asked for, but lie among what is.
local function holes_in(base, channel)
  local _, count = string.gsub(redis.call('HGET', base .. ':n', channel) or '', '%d+', '')
  return count
end

local function is_hole(entry) return entry[2][1] == 'o' end

-- seek: ARGV = earliest|count|age, number, then (channel, maxAge) each.
-- Answer: standing, then per channel: order and prev of the first entry asked for, or 0 and the head.
-- A hole is never what a reader begins with: it asks for what there is.
local function seek(keys, argv)
  local base = keys[1]
  local answer = standing(base)
  if answer == nil then return missing() end
  local ms, how, number = now(), argv[1], tonumber(argv[2])
  local per = {}
  for i = 3, #argv, 2 do
    local channel, stream = argv[i], base .. ':s:' .. argv[i]
    local from = math.max(0, ms - tonumber(argv[i + 1]))
    local more = holes_in(base, channel)
    local first
    if how == 'count' then
      -- The end is no event: asked for one more where there is one.
      local wanted = number + more + redis.call('HEXISTS', base .. ':c', channel)
      if number > 0 then
        local newest = redis.call('XREVRANGE', stream, '+', text(from), 'COUNT', wanted)
        for at = #newest, 1, -1 do
          if not is_hole(newest[at]) then
            first = newest[at]
            break
          end
        end
      end
    else
      if how == 'age' then from = math.max(from, ms - number) end
      for _, entry in ipairs(redis.call('XRANGE', stream, text(from), '+', 'COUNT', 1 + more)) do
        if not is_hole(entry) then
          first = entry
          break
        end
      end
    end
    if first then
      per[#per + 1] = { text(order_of(first[1])), string.match(first[2][2], '^%d+') }
    else
      per[#per + 1] = { '0', redis.call('ZSCORE', base .. ':h', channel) or '0' }
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
  -- Neither the end nor a hole is an event.
  local wanted = holes_in(base, channel) + 2
  local first, last, ended
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', wanted)) do
    first = first or entry[2][1] == 'v' and entry[1]
  end
  for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', wanted)) do
    last = last or entry[2][1] == 'v' and entry[1]
    ended = ended or entry[2][1] == 'e'
  end
  if not first or not last then return { fact[2], 0, 0, '', '' } end
  local events = redis.call('XLEN', stream)
  local oldest = order_of(redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1])
  for order in string.gmatch(redis.call('HGET', base .. ':n', channel) or '', '%d+') do
    if tonumber(order) >= oldest then events = events - 1 end
  end
  if ended then events = events - 1 end
  return { fact[2], events, redis.call('MEMORY', 'USAGE', stream), first, last }
end

register('info', info, { 'allow-oom' })
register('read', read, READ_ONLY)
register('seek', seek, READ_ONLY)

-- What is known to be missing. Replication gives a beginning of what the master had, so a new epoch
-- lacks whatever came after its predecessor's end, and can't know of it: the gateways can.
--
--     old epoch  e1 e2 e3 │ e4 e5            e4, e5: acknowledged, and not here any more
--                         └ end
--     new epoch           │ ○ e6 e7          ○ = a hole: whoever reads past it is told

-- The whole partition's holes at most. The two oldest are made one, which tells too much, not too little.
local MAX_HOLES = 64
-- Reports of one epoch's end are compared for as long as one may come, in s.
local REPORTS_TTL = 86400

local function next_order(base, meta)
  meta.last = math.max(now() * COUNTERS, meta.last + 1)
  written[base] = meta.last
  redis.call('HSET', base .. ':m', 'last', text(meta.last))
  return meta.last
end

local function announce(name, message)
  redis.set_repl(redis.REPL_AOF)
  redis.call('SPUBLISH', name, message)
  redis.set_repl(redis.REPL_ALL)
end

-- Order of the newest hole of the whole partition for an epoch's end.
local function wide_hole(base, from)
  local newest = 0
  for _, hole in ipairs(redis.call('LRANGE', base .. ':o', 0, -1)) do
    local order, of = string.match(hole, '^(%d+) %d+ (%d+ %d+)$')
    if of == from then newest = tonumber(order) end
  end
  return newest
end

-- `from`: "end tag" of the epoch whose end is lost.
local function add_wide(base, meta, from)
  local order = next_order(base, meta)
  local holes = base .. ':o'
  redis.call('RPUSH', holes, text(order) .. ' ' .. text(meta.tag) .. ' ' .. from)
  if redis.call('LLEN', holes) > MAX_HOLES then
    local earlier = redis.call('LPOP', holes, 2)
    redis.call('LPUSH', holes, string.match(earlier[2], '^%d+ %d+ ') ..
      string.match(earlier[1], '%d+ %d+$'))
  end
  meta.hole = order
  redis.call('HSET', base .. ':m', 'hole', text(order))
  -- The name of no channel: every gateway hears it.
  announce(base .. ':e:', 'W' .. text(order))
end

local function add_hole(base, meta, channel, from, max_events, max_age)
  -- Also where the channel is closed: by somebody here who knew of no loss, or before it was deleted and
  -- begun anew in what is lost. The hole stands after the end then.
  local stream = base .. ':s:' .. channel
  local prev = redis.call('ZSCORE', base .. ':h', channel) or '0'
  local order = next_order(base, meta)
  local record = prev .. US .. string.gsub(from, ' ', US)
  local added = redis.pcall('XADD', stream, 'MAXLEN', '~', max_events, id(order, meta.tag), 'o', record)
  -- Somebody put another type there: a read tells a gap anyway.
  if added.err then return end
  redis.call('PEXPIREAT', stream, text(math.floor(order / COUNTERS) + max_age + 1000))
  redis.call('ZADD', base .. ':h', text(order), channel)
  local known = redis.call('HGET', base .. ':n', channel)
  redis.call('HSET', base .. ':n', channel, known and known .. ' ' .. text(order) or text(order))
  announce(base .. ':e:' .. channel, 'O' .. text(order) .. US .. text(meta.tag) .. US .. record)
  return order
end

-- attend: ARGV = layout, seen, gateway, patience, epoch, done,
--   then what is lost: (order, end, tag, channel, maxEvents, maxAge) each, no channel for "anything".
-- A sign of life of a gateway, and what it misses in the epoch that began at `epoch`; done: that is all.
-- A hole that was told at or after the missing order is not told again. Answer: standing.
local function attend(keys, argv)
  local base = keys[1]
  local meta = open_epoch(base, argv[1], tonumber(argv[2]))
  local gateway, patience, ms = argv[3], tonumber(argv[4]), now()
  -- A report on another epoch was judged by what that one has.
  if tonumber(argv[5]) == meta.start then
    for i = 7, #argv, 6 do
      local order, from, channel = tonumber(argv[i]), argv[i + 1] .. ' ' .. argv[i + 2], argv[i + 3]
      if wide_hole(base, from) < order then
        if channel == '' then
          add_wide(base, meta, from)
        else
          local told = base .. ':r:' .. argv[i + 1] .. ':' .. argv[i + 2]
          if tonumber(redis.call('ZSCORE', told, channel) or '0') < order then
            local at = add_hole(base, meta, channel, from, argv[i + 4], tonumber(argv[i + 5]))
            if at then
              redis.call('ZADD', told, text(at), channel)
              redis.call('EXPIRE', told, REPORTS_TTL)
            end
          end
        end
      end
    end
    if argv[6] == '1' then redis.call('HDEL', base .. ':w', gateway) end
  end
  local alive = base .. ':a'
  redis.call('ZADD', alive, ms, gateway)
  -- Gone long ago, or from before the clock was set back: whoever lives says so again in a second.
  redis.call('ZREMRANGEBYSCORE', alive, '-inf', ms - 60000)
  redis.call('ZREMRANGEBYSCORE', alive, ms + 1000, '+inf')
  -- Whoever knows what is missing keeps silent: anything may be missing.
  if redis.call('HLEN', base .. ':w') > 0 and math.abs(ms - meta.opened) >= patience then
    local oldest
    for _, from in ipairs(redis.call('HVALS', base .. ':w')) do
      local order = tonumber(string.match(from, '^%d+'))
      if oldest == nil or order < tonumber(string.match(oldest, '^%d+')) then oldest = from end
    end
    redis.call('UNLINK', base .. ':w')
    add_wide(base, meta, oldest)
  end
  return (standing(base))
end

-- leave: ARGV = gateway. A gateway that stops and has told what it knew. One that is awaited stays so.
local function leave(keys, argv)
  return redis.call('ZREM', keys[1] .. ':a', argv[1])
end

register('attend', attend, {})
register('leave', leave, {})

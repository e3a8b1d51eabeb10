#!lua name=sluice_VERSION

-- The log's share inside Redis. VERSION is replaced by a hash of this file, so that gateways of two
-- versions live side by side on one Redis.
--
-- One partition = one hash tag; KEYS[1] is its base B, `<prefix>:{p0}`, and all its keys begin with it:
--
--   B:m            hash    format, partitions, birth, run, start, tag, last, horizon, age
--   B:x            list    closed epochs, oldest first: "start end tag"
--   B:h            zset    channel -> order of its newest entry (outlives the stream)
--   B:s:<channel>  stream  id <ms>-<n>, one field v = prev US name US sender US data, or
--                          prev US reason with the field e for the end
--   B:c            hash    channel -> "order tag prev reason" where it is closed
--   B:d            hash    channel -> order up to which it was deleted
--   B:k:<key>      string  idempotency: "fingerprint time order tag", order 0 for an ephemeral event
--   B:p:<producer> string  last batch of a gateway: "number US answer"
--   B:e:<channel>  Pub/Sub
--
-- Orders are ms * 4096 + counter: exact in a double, so they are written with %.0f and never with
-- tostring, which rounds to 14 digits.
--
-- Lua does not roll back: each operation is checked completely before its first write.

local COUNTERS = 4096
-- US parts fields, RS parts records: valid JSON holds neither, names and senders are escaped before.
local US, RS = '\31', '\30'
local KEY_TTL = 300
local PRODUCER_TTL = 60
-- Tags of processes, 18 bits; the partition's number stands above them.
local PROCESS_TAGS = 262144
-- Heads forgotten per call, so that no append pays for many.
local PRUNE = 32
local MAX_EPOCHS = 1024
-- Arguments of one command: Lua's stack holds some 8000.
local MANY = 1000

local run, tag

-- The process that executes: INFO costs 4-9 us, so it is asked once in the life of the library.
local function identify()
  if run == nil then
    run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    tag = math.floor(tonumber(string.sub(run, 1, 5), 16) / 4)
  end
end

local function text(order) return string.format('%.0f', order) end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function id(order, of)
  local ms = math.floor(order / COUNTERS)
  return string.format('%.0f-%.0f', ms, of * COUNTERS + (order - ms * COUNTERS))
end

local function order_of(stream_id)
  local ms, n = string.match(stream_id, '^(%d+)-(%d+)$')
  return tonumber(ms) * COUNTERS + tonumber(n) % COUNTERS
end

local function load_meta(base)
  local m = redis.call('HMGET', base .. ':m',
    'run', 'start', 'tag', 'last', 'birth', 'horizon', 'age', 'partitions', 'format')
  if not m[1] then return nil end
  return {
    run = m[1], start = tonumber(m[2]), tag = tonumber(m[3]), last = tonumber(m[4]),
    birth = tonumber(m[5]), horizon = tonumber(m[6]), age = tonumber(m[7]),
    partitions = tonumber(m[8]), format = tonumber(m[9]),
  }
end

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

-- Forgets heads that no reader's cursor can be older than; what is forgotten moves the horizon.
local function prune(base, meta, ms)
  if meta.age == 0 then return end
  local limit = (ms - 2 * meta.age) * COUNTERS
  local old = redis.call('ZRANGEBYSCORE', base .. ':h', '-inf', '(' .. text(limit),
    'WITHSCORES', 'LIMIT', 0, PRUNE)
  if #old == 0 then return end
  local channels = {}
  for i = 1, #old, 2 do channels[#channels + 1] = old[i] end
  redis.call('ZREM', base .. ':h', unpack(channels))
  redis.call('HDEL', base .. ':c', unpack(channels))
  redis.call('HDEL', base .. ':d', unpack(channels))
  meta.horizon = math.max(meta.horizon, tonumber(old[#old]))
  redis.call('HSET', base .. ':m', 'horizon', text(meta.horizon))
end

local function closed_mark(base, channel)
  local mark = redis.call('HGET', base .. ':c', channel)
  if not mark then return nil end
  local order, of, prev, reason = string.match(mark, '^(%d+) (%d+) (%d+) (.*)$')
  return { order = order, tag = of, prev = prev, reason = reason }
end

-- write: ARGV = producer, number, layout, seen, channel count,
--   then (channel, maxEvents, maxAge) each, then the operations up to the end:
--   G <drafts>      then each draft: flags, channel index, name, sender, data [, key, fingerprint]
--                   flags: 1 = ephemeral, 2 = has a key (added)
--   C <channel index> <reason>
--   D <channel index>
-- Answer, one string: tag US last RS result RS result ...; a group: receipts parted by blanks,
--   <order> new | d<order>:<tag> duplicate | e<time> ephemeral | f<time> its duplicate,
--   or !c<index> closed | !k<draft> conflict; the end: order US tag US prev US reason; a deletion: 1|0.
local function write(keys, argv)
  local base = keys[1]
  local producer, number = base .. ':p:' .. argv[1], tonumber(argv[2])
  local before = redis.call('GET', producer)
  if before then
    local at = string.find(before, US, 1, true)
    local done = tonumber(string.sub(before, 1, at - 1))
    if done == number then return string.sub(before, at + 1) end
    -- A copy that was held up on a connection given up long ago.
    if done > number then return redis.error_reply('SLUICESTALE batch ' .. argv[2]) end
  end
  local meta = open_epoch(base, argv[3], tonumber(argv[4]))
  if meta.partitions ~= tonumber(string.match(argv[3], '^%d+')) then
    return redis.error_reply('SLUICEPARTITIONS ' .. text(meta.partitions))
  end
  local ms = now()
  local last = meta.last

  local tag_text = text(meta.tag)
  local channels, at = {}, 6
  for i = 1, tonumber(argv[5]) do
    local name = argv[at]
    channels[i] = {
      name = name, stream = base .. ':s:' .. name, max_events = argv[at + 1],
      max_age = tonumber(argv[at + 2]),
    }
    at = at + 3
  end
  local function head_of(channel)
    if channel.head == nil then
      channel.head = redis.call('ZSCORE', base .. ':h', channel.name) or '0'
    end
    return channel.head
  end
  local function end_of(channel)
    if channel.mark == nil then channel.mark = closed_mark(base, channel.name) or false end
    return channel.mark
  end

  -- Neighbours of one channel share a message; one of another channel ends it, for order holds over
  -- the channels of a partition.
  local messages, records, speaking = {}, {}, nil
  local function pause()
    if speaking == nil then return end
    messages[#messages + 1] = base .. ':e:' .. speaking.name
    messages[#messages + 1] = records[2] and table.concat(records, RS) or records[1]
  end
  local function say(channel, record)
    if speaking ~= channel then
      pause()
      speaking, records = channel, {}
    end
    records[#records + 1] = record
  end

  -- Answers the order of the new entry, as text.
  local function place(channel, field, kind, rest)
    local prev = head_of(channel)
    last = math.max(ms * COUNTERS, last + 1)
    local order = text(last)
    local record = prev .. US .. rest
    redis.call('XADD', channel.stream, 'MAXLEN', '~', channel.max_events, id(last, meta.tag),
      field, record)
    channel.head, channel.order = order, last
    say(channel, kind .. order .. US .. tag_text .. US .. record)
    return order
  end

  -- The usual case, a single event without a key, spares the tables of the general one.
  local function single()
    local channel = channels[tonumber(argv[at + 1])]
    if end_of(channel) then
      at = at + 5
      return '!c' .. argv[at - 4]
    end
    local rest = argv[at + 2] .. US .. argv[at + 3] .. US .. argv[at + 4]
    at = at + 5
    return place(channel, 'v', 'E', rest)
  end

  local function group(count)
    if count == 1 and argv[at] == '0' then return single() end
    local drafts, keys_here = {}, {}
    local refusal
    for i = 1, count do
      local flags = tonumber(argv[at])
      local draft = {
        ephemeral = flags % 2 == 1, channel = channels[tonumber(argv[at + 1])],
        name = argv[at + 2], sender = argv[at + 3], data = argv[at + 4],
      }
      local index = argv[at + 1]
      at = at + 5
      if flags >= 2 then
        draft.key, draft.fingerprint = base .. ':k:' .. argv[at], argv[at + 1]
        at = at + 2
        local twin = keys_here[draft.key]
        if twin ~= nil then
          draft.twin = twin
          if drafts[twin].fingerprint ~= draft.fingerprint then refusal = refusal or '!k' .. i end
        else
          keys_here[draft.key] = i
          local known = redis.call('GET', draft.key)
          if known then
            local print, time, order, of = string.match(known, '^(%S+) (%d+) (%d+) (%d+)$')
            if print ~= draft.fingerprint then refusal = refusal or '!k' .. i end
            draft.receipt = order == '0' and 'f' .. time or 'd' .. order .. ':' .. of
          end
        end
      end
      -- What was accepted before the end is answered as it was then.
      if draft.receipt == nil and draft.twin == nil and end_of(draft.channel) then
        refusal = refusal or '!c' .. index
      end
      drafts[i] = draft
    end
    if refusal then return refusal end
    local receipts = {}
    for i, draft in ipairs(drafts) do
      local receipt = draft.receipt
      if draft.twin ~= nil then
        receipt = receipts[draft.twin]
        local order = string.match(receipt, '^%d+$')
        receipt = order and 'd' .. order .. ':' .. tag_text or string.gsub(receipt, '^e', 'f')
      elseif receipt == nil then
        local rest = draft.name .. US .. draft.sender .. US .. draft.data
        if draft.ephemeral then
          receipt = 'e' .. text(ms)
          say(draft.channel, 'L' .. text(ms) .. US .. rest)
        else
          receipt = place(draft.channel, 'v', 'E', rest)
        end
        if draft.key ~= nil then
          local value = draft.ephemeral and text(ms) .. ' 0 0'
            or text(math.floor(last / COUNTERS)) .. ' ' .. receipt .. ' ' .. tag_text
          redis.call('SET', draft.key, draft.fingerprint .. ' ' .. value, 'EX', KEY_TTL)
        end
      end
      receipts[i] = receipt
    end
    return table.concat(receipts, ' ')
  end

  local function close(channel, reason)
    local mark = end_of(channel)
    if not mark then
      local prev = head_of(channel)
      local order = place(channel, 'e', 'X', reason)
      mark = { order = order, tag = tag_text, prev = prev, reason = reason }
      channel.mark = mark
      redis.call('HSET', base .. ':c', channel.name,
        mark.order .. ' ' .. mark.tag .. ' ' .. prev .. ' ' .. reason)
    end
    return mark.order .. US .. mark.tag .. US .. mark.prev .. US .. mark.reason
  end

  local function delete(channel)
    local head = head_of(channel)
    local held = redis.call('UNLINK', channel.stream)
    local ended = redis.call('HDEL', base .. ':c', channel.name)
    channel.mark = false
    if held + ended == 0 then return '0' end
    -- The head may still be in memory only: it is written here, for there is no entry left to show it.
    redis.call('ZADD', base .. ':h', head, channel.name)
    redis.call('HSET', base .. ':d', channel.name, head)
    channel.order = nil
    say(channel, 'D' .. head)
    return '1'
  end

  local results = { '' }
  while at <= #argv do
    local operation, of = argv[at], tonumber(argv[at + 1])
    at = at + 2
    if operation == 'G' then
      results[#results + 1] = group(of)
    elseif operation == 'C' then
      results[#results + 1] = close(channels[of], argv[at])
      at = at + 1
    else
      results[#results + 1] = delete(channels[of])
    end
  end

  local age = meta.age
  for _, channel in ipairs(channels) do
    local order = channel.order
    if order ~= nil then
      redis.call('ZADD', base .. ':h', channel.head, channel.name)
      -- Counted from the entry, which may be ahead of the clock; a second more, for readers go by
      -- the entry's age and a stream must not be gone before its youngest entry is too old.
      redis.call('PEXPIREAT', channel.stream,
        text(math.floor(order / COUNTERS) + channel.max_age + 1000))
      -- Only space is won, so a burst does it now and then; the first of a millisecond always does.
      if order % 8 == 0 then
        redis.call('XTRIM', channel.stream, 'MINID', '~', text(math.max(0, ms - channel.max_age)))
      end
      if channel.max_age > age then age = channel.max_age end
    end
  end
  pause()
  -- To replicas the messages mean nothing: their followers are served by the master.
  redis.set_repl(redis.REPL_AOF)
  for i = 1, #messages, 2 do redis.call('PUBLISH', messages[i], messages[i + 1]) end
  redis.set_repl(redis.REPL_ALL)
  if last ~= meta.last then
    redis.call('HSET', base .. ':m', 'last', text(last), 'age', text(age))
    if number % 16 == 0 then prune(base, meta, ms) end
  end
  results[1] = tag_text .. US .. text(last)
  local answer = table.concat(results, RS)
  redis.call('SET', producer, number .. US .. answer, 'EX', PRODUCER_TTL)
  return answer
end

-- What every reading answer begins with: how the partition stands.
local function standing(base)
  local meta = load_meta(base)
  if meta == nil then return nil end
  return { text(meta.last), text(meta.start), text(meta.tag), text(meta.birth),
    text(meta.horizon) }, meta
end

local function missing() return redis.error_reply('SLUICEEMPTY no log here') end

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

-- heads: ARGV = channels. Answer: standing, head of each.
local function heads(keys, argv)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  if #argv == 0 then return { answer, {} } end
  local scores = redis.call('ZMSCORE', keys[1] .. ':h', unpack(argv))
  for i = 1, #argv do scores[i] = scores[i] or '0' end
  return { answer, scores }
end

-- moved: ARGV = order, limit. Answer: standing, channels with a newer head and that head, by order.
local function moved(keys, argv)
  local answer = standing(keys[1])
  if answer == nil then return missing() end
  return { answer, redis.call('ZRANGEBYSCORE', keys[1] .. ':h', '(' .. argv[1], '+inf',
    'WITHSCORES', 'LIMIT', 0, tonumber(argv[2])) }
end

local READ_ONLY = { 'no-writes' }
redis.register_function('sluice_write_VERSION', write)
redis.register_function('sluice_open_VERSION', open)
redis.register_function('sluice_info_VERSION', info)
local function read_only(name, callback)
  redis.register_function({
    function_name = 'sluice_' .. name .. '_VERSION', callback = callback, flags = READ_ONLY,
  })
end
read_only('epochs', epochs)
read_only('read', read)
read_only('seek', seek)
read_only('heads', heads)
read_only('moved', moved)

-- Forgets heads that no reader's cursor can be older than; what is forgotten moves the horizon.
local function prune(base, meta, ms)
  if meta.age == 0 then return end
  -- A second more than twice the age, as streams have a second more: a head outlives its stream.
  local limit = (ms - 2 * meta.age - 1000) * COUNTERS
  local old = redis.call('ZRANGEBYSCORE', base .. ':h', '-inf', '(' .. text(limit),
    'WITHSCORES', 'LIMIT', 0, PRUNE)
  if #old == 0 then return end
  local channels = {}
  for i = 1, #old, 2 do channels[#channels + 1] = old[i] end
  redis.call('ZREM', base .. ':h', unpack(channels))
  redis.call('HDEL', base .. ':c', unpack(channels))
  redis.call('HDEL', base .. ':d', unpack(channels))
  redis.call('HDEL', base .. ':n', unpack(channels))
  meta.horizon = math.max(meta.horizon, tonumber(old[#old]))
  redis.call('HSET', base .. ':m', 'horizon', text(meta.horizon))
end

local function closed_mark(base, channel)
  local mark = redis.call('HGET', base .. ':c', channel)
  if not mark then return nil end
  local order, of, prev, reason = string.match(mark, '^(%d+) (%d+) (%d+) (.*)$')
  return { order = order, tag = of, prev = prev, reason = reason }
end

-- B:i: source -> "id ms", what was taken last of it and when. A few are kept, not only the newest: a
-- reader that slept over the inbox's replacement may still come with entries of the old one.
local MAX_SOURCES = 16
local function took(base, source, entry, ms)
  local key = base .. ':i'
  redis.call('HSET', key, source, entry .. ' ' .. text(ms))
  if redis.call('HLEN', key) <= MAX_SOURCES then return end
  local oldest, since
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local at = tonumber(string.match(all[i + 1], ' (%d+)$'))
    if since == nil or at < since then oldest, since = all[i], at end
  end
  redis.call('HDEL', key, oldest)
end

-- write: ARGV = producer, number, layout, seen, channel count,
--   then (channel, maxEvents, maxAge) each, then the operations up to the end:
--   G <drafts>      then each draft: flags, channel index, name, sender, data [, fence] [, key, fingerprint]
--                   flags: 1 = ephemeral, 2 = has a key, 4 = has a fence (added)
--   C <channel index> <reason> <fence>   fence 0: none
--   P <channel index> <fence>            from here on this is the oldest producer that may append
--   D <channel index>
--   F <drafts> <token>             then the drafts: raw messages, each one alone, of whoever holds the lease
--   T <drafts> <arguments> <change>   arguments: how many more there are; change: as document_change has it;
--                   then the drafts, a group, and indices of channels that are deleted after them
--   I <drafts> <source> <newest>   then an id before each draft: entries of the inbox, each one alone
-- Answer, one string: tag US last RS result RS result ...; a group: receipts parted by blanks,
--   <order> new | d<order>:<tag> duplicate | e<time> ephemeral | f<time> its duplicate,
--   or !c<index> closed | !k<draft> conflict | !p<index> a newer producer was there;
--   the end: order US tag US prev US reason, or !p; P: 1, or !p; a deletion: 1|0;
--   F: a receipt or refusal for each, or !f not the token; I: the same, s = taken before, or
--   !o<id> this id was taken from the source, which claims that there never was one so new;
--   T: version US away US last US receipts, or !v, !a, !s as document_refusal has them, or as a group.
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
      channel.head = redis.call('ZSCORE', base .. ':h', channel.name) or newest_in(channel.stream)
    end
    return channel.head
  end
  local function end_of(channel)
    if channel.mark == nil then channel.mark = closed_mark(base, channel.name) or false end
    return channel.mark
  end

  -- A failover that loses a fence has lost all that was appended after it as well, for a new server has a
  -- beginning of what the old one had. So until the newer producer's next append gives its fence again, or
  -- the store of runs refuses the older one's next renewal, the older one may go on; but behind what is
  -- there of its own, never among the newer one's events. (Only maxmemory-policy volatile-* may take a
  -- fence alone; then, too, it is back with the newer producer's next append.)
  local function fence_of(channel)
    if channel.fence == nil then
      channel.fence = tonumber(redis.call('GET', base .. ':f:' .. channel.name) or '0')
    end
    return channel.fence
  end

  local function raise(channel, fence)
    if fence <= fence_of(channel) then return end
    channel.fence = fence
    redis.call('SET', base .. ':f:' .. channel.name, text(fence), 'EX', FENCE_TTL)
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

  -- Answers the order of the new entry, as text, or nil and why not: somebody put another type there, or
  -- a stream with ids ahead of the clock. An error would end the call half-done for everybody in it.
  local function place(channel, field, kind, rest)
    local prev = head_of(channel)
    last = math.max(ms * COUNTERS, last + 1)
    local order = text(last)
    local record = prev .. US .. rest
    local added = redis.pcall('XADD', channel.stream, 'MAXLEN', '~', channel.max_events,
      id(last, meta.tag), field, record)
    -- A right is missing: that is so for every channel, and nothing has been written yet.
    if added.err and string.find(added.err, 'user executing', 1, true) then error(added.err) end
    if added.err then return nil, '!e' .. string.match(added.err, '^%S*') end
    channel.head, channel.order = order, last
    say(channel, kind .. order .. US .. tag_text .. US .. record)
    return order
  end

  -- The usual cases, a single event without a key, spare the tables of the general one.
  local function single(fenced)
    local first, index = at, argv[at + 1]
    local channel = channels[tonumber(index)]
    local fence
    at = at + 5
    if fenced then
      fence = tonumber(argv[at])
      at = at + 1
      if fence < fence_of(channel) then return '!p' .. index end
    end
    if end_of(channel) then return '!c' .. index end
    if fenced then raise(channel, fence) end
    local rest = argv[first + 2] .. US .. argv[first + 3] .. US .. argv[first + 4]
    local order, failure = place(channel, 'v', 'E', rest)
    return order or failure
  end

  local function group(count)
    if count == 1 then
      if argv[at] == '0' then return single(false) end
      if argv[at] == '4' then return single(true) end
    end
    local drafts, keys_here, raised = {}, {}, {}
    local refusal
    for i = 1, count do
      local flags = tonumber(argv[at])
      local draft = {
        ephemeral = flags % 2 == 1, channel = channels[tonumber(argv[at + 1])],
        name = argv[at + 2], sender = argv[at + 3], data = argv[at + 4],
      }
      local index = argv[at + 1]
      at = at + 5
      if flags >= 4 then
        local fence = tonumber(argv[at])
        at = at + 1
        if fence < (raised[draft.channel] or fence_of(draft.channel)) then
          refusal = refusal or '!p' .. index
        else
          raised[draft.channel] = fence
        end
      end
      if flags % 4 >= 2 then
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
    for channel, fence in pairs(raised) do raise(channel, fence) end
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
          local order, failure = place(draft.channel, 'v', 'E', rest)
          if not order then return failure end
          receipt = order
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

  local function skip()
    local flags = tonumber(argv[at])
    at = at + 5 + (flags >= 4 and 1 or 0) + (flags % 4 >= 2 and 2 or 0)
  end

  local function fenced(count, token)
    local current = redis.call('GET', base .. ':l') == token
    local receipts = {}
    for i = 1, count do
      if current then receipts[i] = group(1) else skip() end
    end
    return current and table.concat(receipts, ' ') or '!f'
  end

  local function take(count, source, newest)
    local known = redis.call('HGET', base .. ':i', source)
    local taken = known and string.match(known, '^%S+') or '0-0'
    local beyond = newer(taken, newest)
    local receipts = {}
    for i = 1, count do
      local entry = argv[at]
      at = at + 1
      if beyond then
        skip()
      elseif newer(entry, taken) then
        receipts[i] = group(1)
        taken = entry
      else
        receipts[i] = 's'
        skip()
      end
    end
    if beyond then return '!o' .. taken end
    took(base, source, taken, ms)
    return table.concat(receipts, ' ')
  end

  local function admit(channel, fence)
    if fence < fence_of(channel) then return '!p' end
    raise(channel, fence)
    return '1'
  end

  local function close(channel, reason, fence)
    if fence > 0 and admit(channel, fence) == '!p' then return '!p' end
    local mark = end_of(channel)
    if not mark then
      local prev = head_of(channel)
      local order, failure = place(channel, 'e', 'X', reason)
      if not order then return failure end
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
    say(channel, 'D' .. head .. US .. tag_text)
    return '1'
  end

  local function change(count)
    local ends = at + 1 + tonumber(argv[at])
    local change = document_change(base, argv, at + 1)
    local refusal = document_refusal(change, ms)
    at = change.at
    local receipts = refusal or group(count)
    if string.sub(receipts, 1, 1) == '!' then
      at = ends
      return receipts
    end
    local outcome = document_write(base, change, ms)
    while at < ends do
      delete(channels[tonumber(argv[at])])
      at = at + 1
    end
    return outcome .. US .. text(last) .. US .. receipts
  end

  local results = { '' }
  while at <= #argv do
    local operation, of = argv[at], tonumber(argv[at + 1])
    at = at + 2
    if operation == 'G' then
      results[#results + 1] = group(of)
    elseif operation == 'C' then
      results[#results + 1] = close(channels[of], argv[at], tonumber(argv[at + 1]))
      at = at + 2
    elseif operation == 'P' then
      results[#results + 1] = admit(channels[of], tonumber(argv[at]))
      at = at + 1
    elseif operation == 'T' then
      results[#results + 1] = change(of)
    elseif operation == 'F' then
      at = at + 1
      results[#results + 1] = fenced(of, argv[at - 1])
    elseif operation == 'I' then
      at = at + 2
      results[#results + 1] = take(of, argv[at - 2], argv[at - 1])
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
  for i = 1, #messages, 2 do redis.call('SPUBLISH', messages[i], messages[i + 1]) end
  redis.set_repl(redis.REPL_ALL)
  if last ~= meta.last then
    redis.call('HSET', base .. ':m', 'last', text(last), 'age', text(age))
    written[base] = last
    if number % 16 == 0 then prune(base, meta, ms) end
  end
  results[1] = tag_text .. US .. text(last)
  local answer = table.concat(results, RS)
  redis.call('SET', producer, number .. US .. answer, 'EX', PRODUCER_TTL)
  return answer
end

register('write', write, {})
-- For what makes room. A batch of it is another producer's.
register('write_full', write, { 'allow-oom' })

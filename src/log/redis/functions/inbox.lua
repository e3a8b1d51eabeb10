-- The inbox: a stream in which others leave entries, KEYS[1]. Its slot need not be a partition's.
--
-- What was taken is removed, so the first entry there is the next one to take. Partitions remember the
-- id of the last entry they took (B:i, see write), for a reader may die between taking and removing.
-- Ids are only comparable within one life of the stream. Its name is that of a consumer group in it,
-- which nobody reads by, but which lives and dies with the stream: after a DEL there is another, and
-- ids that begin anew are not taken for old ones.

local SOURCE = 'source:'
local ENTRIES_PAGE = 64

local function newer(a, b)
  local a_ms, a_n = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)-(%d+)$')
  -- By length and text: n may be any 64-bit number, which a double isn't.
  if #a_ms ~= #b_ms then return #a_ms > #b_ms end
  if a_ms ~= b_ms then return a_ms > b_ms end
  if #a_n ~= #b_n then return #a_n > #b_n end
  return a_n > b_n
end

local function member(list, name)
  for i = 1, #list, 2 do
    if list[i] == name then return list[i + 1] end
  end
end

-- inbox: ARGV = token, ms of the lease, name for a new source, entries, bytes,
--   source and id of an entry that a partition remembers but that lies beyond the stream's end, or ''.
-- Answer: ms to wait where somebody else reads, else 0; source, id of the newest entry there ever was,
--   entries.
local function inbox(keys, argv)
  local key = keys[1]
  local reader = '{' .. key .. '}:reader'
  local current = redis.call('GET', reader)
  if current and current ~= argv[1] then return { math.max(1, redis.call('PTTL', reader)) } end
  redis.call('SET', reader, argv[1], 'PX', argv[2])
  if redis.call('EXISTS', key) == 0 then return { 0, '', '', {} } end
  local newest = member(redis.call('XINFO', 'STREAM', key), 'last-generated-id')
  local source
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local name = member(group, 'name')
    if string.sub(name, 1, #SOURCE) == SOURCE then source = name end
  end
  -- A failover took the stream's end, and its clock is behind: what comes now may have ids that were
  -- taken before. Rather twice than never.
  if source ~= nil and source == argv[6] and newer(argv[7], newest) then
    redis.call('XGROUP', 'DESTROY', key, source)
    source = nil
  end
  if source == nil then
    source = SOURCE .. argv[3]
    redis.call('XGROUP', 'CREATE', key, source, '0')
  end
  local entries, bytes, from = {}, 0, '-'
  while #entries < tonumber(argv[4]) and bytes < tonumber(argv[5]) do
    local page = redis.call('XRANGE', key, from, '+', 'COUNT', ENTRIES_PAGE)
    for _, entry in ipairs(page) do
      for _, text in ipairs(entry[2]) do bytes = bytes + #text end
      entries[#entries + 1] = entry
      if bytes >= tonumber(argv[5]) then break end
    end
    if #page < ENTRIES_PAGE then break end
    from = '(' .. page[#page][1]
  end
  return { 0, source, newest, entries }
end

-- inbox_leave: ARGV = token.
local function inbox_leave(keys, argv)
  local reader = '{' .. keys[1] .. '}:reader'
  if redis.call('GET', reader) ~= argv[1] then return 0 end
  return redis.call('DEL', reader)
end

register('inbox', inbox, {})
register('inbox_leave', inbox_leave, {})
